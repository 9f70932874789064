//! The parser's messages in words that help, at the place where the mistake is.

use super::located::{Located, Position, before};
use super::node::Span;

/// What the parser's message means, and where. `at` is where the parser stood, `bracket` the
/// innermost bracket that was open.
pub fn explain(info: &str, text: &str, at: Span, bracket: Option<Span>) -> Located {
    let rest = text.get(at.start..).unwrap_or_default();
    tab(info, text, at)
        .or_else(|| quoted(info, rest, at))
        .or_else(|| star(info, rest, at))
        .or_else(|| not_closed(text, at, bracket.or_else(|| unclosed(info, text, at))?))
        .or_else(|| brackets(info, at))
        .or_else(|| colon(info, text, at))
        .or_else(|| indentation(info, at))
        .unwrap_or_else(|| other(info, rest, at))
}

/// The parser looks for tabs in several places and reports the line before; the mistake is at the
/// first tab that indents a line from there on.
fn tab(info: &str, text: &str, at: Span) -> Option<Located> {
    if !info.contains("tab") || info.contains("block scalar content") {
        return None;
    }
    let line = before(text, at.start).rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let mut start = line;
    for piece in text.get(line..)?.split_inclusive('\n') {
        let indentation = piece.len() - piece.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = piece.get(..indentation).and_then(|spaces| spaces.find('\t')) {
            let span = Span { source: at.source, start: start + tab, end: start + indentation };
            return Some(Located::new(span, "a tab cannot indent a line").help("use spaces"));
        }
        start += piece.len();
    }
    Some(Located::new(at, "a tab cannot stand here").help("use spaces"))
}

fn quoted(info: &str, rest: &str, at: Span) -> Option<Located> {
    let open = info.contains("unexpected end of stream") || info.contains("invalid indentation in quoted");
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    if open && quote.is_some() {
        return Some(Located::new(first(rest, at), "the quote that opens here is not closed"));
    }
    if info.contains("unknown escape character") {
        let help = "in double quotes `\\` begins an escape such as `\\n`; single quotes take a text as it is";
        return Some(Located::new(at, "unknown escape in this text").help(help));
    }
    if info.contains("trailing content after double-quoted") {
        return Some(Located::new(first(rest, at), "nothing may follow the closing quote"));
    }
    None
}

fn star(info: &str, rest: &str, at: Span) -> Option<Located> {
    let help = "for all groups, write `\"*\"` in quotes";
    let lone = "a lone `*` must be in quotes";
    if info.contains("unknown anchor") {
        let name = rest.split([' ', ',', ']', '}', '\n', '\r', '\t']).next().unwrap_or_default();
        if matches!(name, "*" | "*:") {
            return Some(Located::new(first(rest, at), lone).help("write `\"*\"`"));
        }
        let span = Span { end: at.start + name.len(), ..at };
        let marked = name.trim_start_matches('*');
        return Some(
            Located::new(span, format!("unknown alias `{name}`"))
                .help(format!("an alias repeats a value that `&{marked}` marks before it; {help}")),
        );
    }
    if info.contains("anchor or alias") && rest.starts_with('*') {
        return Some(Located::new(first(rest, at), lone).help("write `\"*\"`"));
    }
    None
}

/// Within brackets line breaks do not count, so a bracket that is not closed is noticed lines after.
fn not_closed(text: &str, at: Span, bracket: Span) -> Option<Located> {
    let between = text.get(bracket.end..at.start)?;
    let ends = text.get(at.start..)?.trim().is_empty();
    if !ends && !between.contains(['\n', '\r']) {
        return None;
    }
    let closing = if text.get(bracket.start..)?.starts_with('[') { ']' } else { '}' };
    let located = Located::new(bracket, format!("this bracket is not closed: expected `{closing}`"));
    if ends {
        return Some(located);
    }
    let line = Position::of(text, at.start).line;
    Some(located.help(format!("line {line} does not fit into the brackets; in them, entries are parted by commas")))
}

/// The parser reads a line ahead, and may not have come to the bracket yet when it stumbles.
fn unclosed(info: &str, text: &str, at: Span) -> Option<Span> {
    brackets(info, at)?;
    let mut closed = Vec::new();
    for (i, byte) in before(text, at.start).as_bytes().iter().copied().enumerate().rev() {
        let closing = match byte {
            b'[' => b']',
            b'{' => b'}',
            b']' | b'}' => {
                closed.push(byte);
                continue;
            }
            _ => continue,
        };
        if closed.pop() != Some(closing) {
            return Some(Span { source: at.source, start: i, end: i + 1 });
        }
    }
    None
}

fn brackets(info: &str, at: Span) -> Option<Located> {
    let what = if info.contains("expected ',' or ']'") || info.contains("expected ',' or '}'") {
        info.rsplit("expected ").next().map(|closing| closing.replace('\'', "`"))?
    } else if info.contains("illegal placement") || info.contains("inside a block") || info.contains("indentation") {
        "`,` or the closing bracket".to_owned()
    } else {
        return None;
    };
    Some(Located::new(at, format!("expected {what}")).help("in brackets, entries are parted by commas"))
}

fn colon(info: &str, text: &str, at: Span) -> Option<Located> {
    let rest = text.get(at.start..).unwrap_or_default();
    if info.contains("mapping values are not allowed") {
        let help = "a key begins a line of its own, in the column of its neighbours; a space must follow its `:`; \
                    a text with `: ` in it needs quotes";
        return Some(Located::new(first(rest, at), "no `:` is expected here").help(help));
    }
    if info.contains("simple key expect") {
        // The parser notices in the line after.
        let line = before(text, at.start).trim_end();
        let start = line.rfind(['\n', '\r']).map_or(0, |end| end + 1);
        let key = line.get(start..).unwrap_or_default();
        let indentation = key.len() - key.trim_start().len();
        let span = Span { source: at.source, start: start + indentation, end: line.len() };
        return Some(Located::new(span, "a `:` is missing after this key"));
    }
    if info.contains("':' must be followed") {
        let line = before(text, at.start);
        let start = line.trim_end_matches('\t').len();
        if start < line.len() {
            return Some(Located::new(Span { start, ..at }, "a tab cannot stand here").help("use spaces"));
        }
        return Some(Located::new(first(rest, at), "a space is missing after this `:`"));
    }
    None
}

fn indentation(info: &str, at: Span) -> Option<Located> {
    if info.contains("did not find expected key") || info.contains("expected '-' indicator") {
        let help = "the keys of a map begin in the same column, and so do the entries of a list";
        return Some(Located::new(at, "this line fits nothing before it: check its indentation").help(help));
    }
    if info.contains("expected node content") {
        return Some(Located::new(at, "a value is expected here"));
    }
    None
}

fn other(info: &str, rest: &str, at: Span) -> Located {
    match info.strip_prefix("unexpected character: ") {
        Some(character) => {
            let character = character.trim_matches(['`', '\'']);
            let character = if character.is_empty() { rest.get(..1).unwrap_or_default() } else { character };
            Located::new(first(rest, at), format!("a value cannot begin with {character}"))
                .help("put the text in quotes")
        }
        None => Located::new(at, info),
    }
}

/// The first character after a place.
fn first(rest: &str, at: Span) -> Span {
    Span { end: at.start + rest.chars().next().map_or(0, char::len_utf8), ..at }
}
