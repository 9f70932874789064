//! What a person sees of what is wrong with a spec: the place, the line, what was expected.

use super::Problems;
use super::located::{Lines, Located, Position, before};
use super::node::Span;
use super::source_map::{SourceMap, SourceText};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents};
use miette::{SourceCode, SourceSpan, SpanContents};
use std::fmt;

/// More problems than this are counted, not shown.
const MAX_SHOWN: usize = 20;

/// The width to which messages are wrapped; the same everywhere, so that logs can be compared.
const WIDTH: usize = 100;

/// A spec cannot be used: all that is wrong with it, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    complaints: Vec<Complaint>,
}

impl SpecError {
    /// Nothing could be read.
    pub fn unread(message: impl Into<String>) -> Self {
        SpecError { complaints: vec![Complaint { message: message.into(), help: None, excerpt: None }] }
    }

    /// Problems in their places in `sources`.
    pub fn located(mut problems: Vec<Located>, sources: &[SourceText]) -> Self {
        problems.sort_by(|a, b| (a.span, &a.message).cmp(&(b.span, &b.message)));
        problems.dedup();
        let lines: Vec<Lines<'_>> = sources.iter().map(|source| Lines::new(&source.text)).collect();
        SpecError { complaints: problems.into_iter().map(|problem| Complaint::new(problem, sources, &lines)).collect() }
    }

    /// Problems by their paths.
    pub fn new(problems: &Problems, map: &SourceMap) -> Self {
        SpecError::located(problems.0.iter().map(|problem| map.locate(problem)).collect(), &map.sources)
    }

    /// How many problems there are.
    pub fn len(&self) -> usize {
        self.complaints.len()
    }

    /// True where there is nothing to complain about.
    pub fn is_empty(&self) -> bool {
        self.complaints.is_empty()
    }

    /// Where each problem is, and its message.
    pub fn summary(&self) -> impl Iterator<Item = (Option<Position>, &str)> {
        self.complaints.iter().map(|c| (c.excerpt.as_ref().map(|excerpt| excerpt.position), c.message.as_str()))
    }

    /// All problems as text for a terminal, in colour or without.
    pub fn render(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler =
            GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_context_lines(0).with_links(false);
        let mut out = String::new();
        for complaint in self.complaints.iter().take(MAX_SHOWN) {
            if handler.render_report(&mut out, complaint).is_err() {
                // A formatter into a string does not fail; should it, the plain message is left.
                out.push_str(&complaint.message);
            }
            out.push('\n');
        }
        match self.complaints.len() {
            0 | 1 => {}
            count if count > MAX_SHOWN => out.push_str(&format!("{count} problems, the first {MAX_SHOWN} shown\n\n")),
            count => out.push_str(&format!("{count} problems\n\n")),
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, complaint) in self.complaints.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            if let Some(Excerpt { name, position, .. }) = &complaint.excerpt {
                write!(f, "{name}:{}:{}: ", position.line, position.column)?;
            }
            f.write_str(&complaint.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecError {}

impl Diagnostic for SpecError {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.complaints.iter().map(|complaint| complaint as &dyn Diagnostic)))
    }
}

/// One problem, with the line it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Complaint {
    message: String,
    help: Option<String>,
    excerpt: Option<Excerpt>,
}

impl Complaint {
    fn new(problem: Located, sources: &[SourceText], lines: &[Lines<'_>]) -> Self {
        let number = problem.span.source;
        let source = sources.get(number).zip(lines.get(number));
        let excerpt = source.map(|(source, lines)| Excerpt::new(source, lines, problem.span));
        Complaint { message: problem.message, help: problem.help, excerpt }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Complaint {}

impl Diagnostic for Complaint {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let mark = &self.excerpt.as_ref()?.mark;
        Some(Box::new(std::iter::once(LabeledSpan::new(None, mark.start, mark.end - mark.start))))
    }
}

/// The line of a text that a problem is in; of a long line, the part around the problem.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    name: String,
    position: Position,
    line: String,
    /// The bytes of `line` to underline.
    mark: std::ops::Range<usize>,
}

/// Longer lines are cut around the problem.
const MAX_LINE: usize = 120;

/// How much of a long line is left before the problem.
const LEAD: usize = 40;

impl Excerpt {
    fn new(source: &SourceText, lines: &Lines<'_>, span: Span) -> Self {
        let head = before(&source.text, span.start);
        let start = head.rfind(['\n', '\r']).map_or(0, |end| end + 1);
        let lead = source.text.get(start..head.len()).unwrap_or_default();
        let tail = source.text.get(head.len()..).unwrap_or_default();
        let tail = tail.split(['\n', '\r']).next().unwrap_or_default();
        let marked = before(tail, span.end.saturating_sub(span.start)).chars().count();

        let skipped = match lead.chars().count() {
            long if long + tail.chars().take(MAX_LINE).count() > MAX_LINE => long.saturating_sub(LEAD),
            _ => 0,
        };
        let mut line = if skipped > 0 { "…".to_owned() } else { String::new() };
        line.extend(lead.chars().skip(skipped).map(printable));
        let mark = line.len();
        line.extend(tail.chars().take(marked).take(MAX_LINE - LEAD).map(printable));
        let end = line.len();
        let rest = MAX_LINE.saturating_sub(line.chars().count());
        line.extend(tail.chars().skip(marked).take(rest).map(printable));
        if tail.chars().nth(marked.min(MAX_LINE - LEAD).max(marked) + rest).is_some() {
            line.push('…');
        }
        // A mark after the last character needs something to stand under.
        if mark == line.len() {
            line.push(' ');
        }
        Excerpt { name: source.name.clone(), position: lines.position(span.start), line, mark: mark..end }
    }
}

/// Characters that would move the cursor or the mark are shown as a dot.
fn printable(c: char) -> char {
    if c != '\t' && (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) { '·' } else { c }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            self.line.as_bytes(),
            (0, self.line.len()).into(),
            self.position.line - 1,
            self.position.column - 1,
            1,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, start: usize, end: usize) -> String {
        let sources = [SourceText { name: "spec.yaml".to_owned(), text: text.to_owned() }];
        SpecError::located(vec![Located::new(Span { source: 0, start, end }, "wrong")], &sources).render(false)
    }

    /// The line as shown, and the part of it that is underlined.
    fn underlined(text: &str, start: usize, end: usize) -> (String, String) {
        let shown = shown(text, start, end);
        let mut lines = shown.lines().skip_while(|line| !line.contains(" │ "));
        let line: Vec<char> = lines.next().unwrap().chars().collect();
        let under: Vec<char> = lines.next().unwrap().chars().collect();
        let marked = (0..line.len()).filter(|i| under.get(*i) == Some(&'─')).map(|i| line[i]).collect();
        (line.into_iter().collect(), marked)
    }

    #[test]
    fn the_problem_is_underlined_after_tabs_and_wide_letters() {
        assert_eq!(underlined("a:\t\tbad # x", 4, 7).1, "bad");
        assert_eq!(underlined("é: bad", 4, 7).1, "bad");
        assert_eq!(underlined("x: 1\r\n  y: bad\r\nz: 2", 11, 14).1, "bad");
        assert_eq!(underlined("x: \u{1b}[31m bad", 9, 12).1, "bad", "no escape sequence reaches the terminal");
    }

    #[test]
    fn a_long_line_is_cut_around_the_problem() {
        let text = format!("{} bad {}", "a".repeat(5000), "b".repeat(5000));
        let (line, marked) = underlined(&text, 5001, 5004);
        assert_eq!(marked, "bad");
        assert!(line.chars().count() < 140 && line.contains('…'), "{line}");
        let (line, marked) = underlined(&text, 0, 4999);
        assert!(line.chars().count() < 140 && marked.len() > 50, "{line}");
    }

    #[test]
    fn problems_are_sorted_told_once_and_counted() {
        let sources = [SourceText { name: "spec.yaml".to_owned(), text: "a: 1\nb: 2\n".to_owned() }];
        let at = |start| Located::new(Span { source: 0, start, end: start + 1 }, format!("wrong at {start}"));
        let error = SpecError::located(vec![at(5), at(0), at(5)], &sources);
        assert_eq!(error.to_string(), "spec.yaml:1:1: wrong at 0\nspec.yaml:2:1: wrong at 5");
        assert!(error.render(false).ends_with("\n2 problems\n"));
    }

    #[test]
    fn colour_is_only_for_those_who_want_it() {
        let sources = [SourceText { name: "spec.yaml".to_owned(), text: "a: 1\n".to_owned() }];
        let error = SpecError::located(vec![Located::new(Span::default(), "wrong")], &sources);
        assert!(!error.render(false).contains('\u{1b}'));
        assert!(error.render(true).contains('\u{1b}'));
    }

    #[test]
    fn what_could_not_be_read_has_no_line() {
        assert_eq!(SpecError::unread("cannot read x").render(false), "  × cannot read x\n");
    }
}
