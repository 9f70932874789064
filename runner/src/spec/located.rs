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
    /// The position of the byte at `offset`; a place after the text is its end. Of many places in one text,
    /// [`Lines`] tells sooner.
    pub fn of(text: &str, offset: usize) -> Self {
        Lines::new(text).position(offset)
    }
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// The lines of a text: a line feed ends one, and so does a carriage return that none follows.
    pub fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(i, byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(i + 1).is_some_and(|next| *next != b'\n'),
            _ => false,
        });
        Lines { text, starts: [0].into_iter().chain(ends.map(|(i, _)| i + 1)).collect() }
    }

    /// The position of the byte at `offset`; a place after the text is its end.
    pub fn position(&self, offset: usize) -> Position {
        let before = before(self.text, offset);
        let line = self.starts.partition_point(|start| *start <= before.len());
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied().unwrap_or_default();
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        Position { line, column }
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
        assert_eq!(at("a\rx", "x"), (2, 1));
        assert_eq!(at("a\r", "end"), (1, 3));
    }

    #[test]
    fn a_place_outside_the_text_is_its_end() {
        assert_eq!(Position::of("a\nbc", 99), Position { line: 2, column: 3 });
        assert_eq!(Position::of("é", 1), Position { line: 1, column: 1 });
    }
}
