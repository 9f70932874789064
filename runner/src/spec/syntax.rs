//! The parser's messages in words that help, at the place where the mistake is.

use super::located::{Located, before};
use super::node::Span;

/// What the parser's message means, and where. `at` is where the parser stood.
pub fn explain(info: &str, text: &str, at: Span) -> Located {
    let rest = text.get(at.start..).unwrap_or_default();
    tab(info, text, at)
        .or_else(|| quoted(info, rest, at))
        .or_else(|| star(info, rest, at))
        .or_else(|| brackets(info, text, at))
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
    if info.contains("unknown anchor") {
        let name: &str = rest.split([' ', ',', ']', '}', '\n', '\r', '\t']).next().unwrap_or_default();
        let span = Span { end: at.start + name.len(), ..at };
        let marked = name.trim_start_matches('*');
        return Some(
            Located::new(span, format!("unknown alias `{name}`"))
                .help(format!("an alias repeats a value that `&{marked}` marks before it; {help}")),
        );
    }
    if info.contains("anchor or alias") && rest.starts_with('*') {
        return Some(Located::new(first(rest, at), "a lone `*` must be in quotes").help("write `\"*\"`"));
    }
    None
}

fn brackets(info: &str, text: &str, at: Span) -> Option<Located> {
    let what = if info.contains("expected ',' or ']'") || info.contains("expected ',' or '}'") {
        info.rsplit("expected ").next().map(|closing| closing.replace('\'', "`"))?
    } else if info.contains("indentation in flow")
        || info == "invalid indentation"
        || info.contains("illegal placement")
    {
        "`,` or the closing bracket".to_owned()
    } else {
        return None;
    };
    let found = text.get(at.start..).and_then(|rest| rest.chars().next());
    let message = match found {
        None => format!("the file ends, and a bracket is still open: expected {what}"),
        Some(_) => format!("expected {what}"),
    };
    let help = "inside brackets, entries are parted by commas, and each line is indented more than the key before";
    Some(Located::new(at, message).help(help))
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
        return Some(Located::new(first(rest, at), "a space is missing after this `:`"));
    }
    None
}

fn indentation(info: &str, at: Span) -> Option<Located> {
    if info.contains("did not find expected key") {
        let help = "the keys of a map begin in the same column; the entries of a list each begin with `- `";
        return Some(Located::new(at, "a key is expected here").help(help));
    }
    if info.contains("expected '-' indicator") {
        let help = "the entries of a list begin in the same column";
        return Some(Located::new(at, "an entry of the list, beginning with `- `, is expected here").help(help));
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
