//! A problem with its place in a text.

use super::node::Span;

/// A problem with its place in a text. [`super::SourceMap`] makes it of a [`super::Problem`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Located {
    /// A problem at a place.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Located { span, message: message.into(), help: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Line and column of a byte, both from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

impl Position {
    /// The position of the byte at `offset`; a place after the text is its end.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = before(text, offset);
        let breaks = before.matches('\n').count() + lone_returns(before);
        Position {
            line: breaks + 1,
            column: before.rsplit(['\n', '\r']).next().unwrap_or_default().chars().count() + 1,
        }
    }
}

/// The text before a byte; inside a character, before that character.
pub fn before(text: &str, offset: usize) -> &str {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// Line breaks that are a carriage return alone. A return at the very end may belong to a break
/// that goes on after it, so it does not count.
fn lone_returns(before: &str) -> usize {
    let followers = before.as_bytes().windows(2);
    followers.filter(|pair| matches!(pair, [b'\r', next] if *next != b'\n')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, what: &str) -> (usize, usize) {
        let position = Position::of(text, text.find(what).unwrap_or(text.len()));
        (position.line, position.column)
    }

    #[test]
    fn columns_are_characters_and_every_line_break_counts_once() {
        assert_eq!(at("x", "x"), (1, 1));
        assert_eq!(at("é: x", "x"), (1, 4));
        assert_eq!(at("a\nb\r\nc\rd: x", "x"), (4, 4));
        assert_eq!(at("a\n", "end"), (2, 1));
        assert_eq!(at("\r\n\r\nx", "x"), (3, 1));
    }

    #[test]
    fn a_place_outside_the_text_is_its_end() {
        assert_eq!(Position::of("a\nbc", 99), Position { line: 2, column: 3 });
        assert_eq!(Position::of("é", 1), Position { line: 1, column: 1 });
    }
}
