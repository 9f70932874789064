//! From bytes to text: what cannot be a spec is turned away before it is parsed.

use std::io::Read;

/// The most bytes a spec may have.
pub const MAX_BYTES: usize = 1 << 20;

/// The text of a spec file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text, without a byte-order mark.
    pub text: String,
    /// Whether the file goes on after [`MAX_BYTES`].
    pub cut: bool,
}

/// Why bytes are not text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotText {
    /// The text up to there.
    pub before: String,
    /// What stands there.
    pub message: String,
}

/// Reads at most [`MAX_BYTES`], and notes whether there is more.
pub fn read(file: impl Read) -> std::io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    let cut = bytes.len() > MAX_BYTES;
    bytes.truncate(MAX_BYTES);
    Ok((bytes, cut))
}

/// The bytes as text. Where the file was cut, half a character at the end is no error.
pub fn decode(bytes: &[u8], cut: bool) -> Result<Text, NotText> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(NotText { before: String::new(), message: "the file is UTF-16 text; save it as UTF-8".to_owned() });
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let (text, invalid) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            let halved_by_the_cut = cut && error.error_len().is_none();
            let invalid = if halved_by_the_cut { None } else { rest.first() };
            (std::str::from_utf8(valid).unwrap_or_default(), invalid)
        }
    };
    if let Some((at, character)) = text.char_indices().find(|(_, c)| is_forbidden(*c)) {
        let before = text.get(..at).unwrap_or_default().to_owned();
        let message = format!("not a text file: it holds the control character 0x{:02X}", character as u32);
        return Err(NotText { before, message });
    }
    match invalid {
        Some(byte) => {
            let message = format!("not a text file: the byte 0x{byte:02X} is not UTF-8");
            Err(NotText { before: text.to_owned(), message })
        }
        None => Ok(Text { text: text.to_owned(), cut }),
    }
}

/// Whether YAML does not allow a character in a text.
fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_left_out() {
        assert_eq!(decode(b"\xEF\xBB\xBFname: x", false).map(|t| t.text), Ok("name: x".to_owned()));
    }

    #[test]
    fn what_is_no_text_is_said_with_its_place() {
        let error = decode(b"name: x\n\x89PNG", false).unwrap_err();
        assert_eq!(
            (error.before.as_str(), error.message.as_str()),
            ("name: x\n", "not a text file: the byte 0x89 is not UTF-8")
        );
        let error = decode(b"a: \0\xFF", false).unwrap_err();
        assert_eq!(error.before, "a: ");
        assert!(decode(&[0xFF, 0xFE, b'a', 0], false).unwrap_err().message.contains("UTF-16"));
    }

    #[test]
    fn a_character_halved_by_the_cut_is_dropped() {
        let bytes = "é".as_bytes();
        assert_eq!(decode(&bytes[..1], true).map(|t| t.text), Ok(String::new()));
        assert!(decode(&bytes[..1], false).is_err());
    }

    #[test]
    fn no_more_is_read_than_a_spec_may_have() {
        let (bytes, cut) = read(std::io::repeat(b'[')).unwrap();
        assert_eq!((bytes.len(), cut), (MAX_BYTES, true));
    }
}
