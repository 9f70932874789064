//! `NumPy`'s `.npy` arrays, read with distrust: what the header claims is checked before anything is
//! allocated.
//!
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::io::Read;

/// No header is longer (`NumPy` itself writes some 120 bytes).
const LONGEST_HEADER: usize = 1 << 16;

/// What the header of an array says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The type of the values, as `NumPy` writes it: `|u1`, `<i8`.
    pub dtype: String,
    /// The sizes of the axes.
    pub shape: Vec<usize>,
    /// Bytes of all values.
    pub bytes: usize,
    /// Bytes of the header itself.
    pub length: usize,
}

impl Header {
    /// Reads a header, and leaves the reader at the values. Only plain numbers in C order are taken.
    pub fn read(reader: &mut impl Read) -> Result<Self, String> {
        let mut start = [0; 8];
        reader.read_exact(&mut start).map_err(|_| "it is not an array of NumPy".to_owned())?;
        let [magic @ .., major, _] = start;
        if magic != *b"\x93NUMPY" {
            return Err("it is not an array of NumPy".into());
        }
        let (field, length) = match major {
            1 => (2, read_length::<2>(reader)?),
            2 | 3 => (4, read_length::<4>(reader)?),
            _ => return Err(format!("version {major} of NumPy's format is not known")),
        };
        if length > LONGEST_HEADER {
            return Err(format!("its header claims to be {length} bytes long"));
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text).map_err(|_| "its header is cut short".to_owned())?;
        let text = String::from_utf8(text).map_err(|_| "its header is not text".to_owned())?;
        Header::parse(&text, start.len() + field + length)
    }

    /// Reads the text of a header: a Python dict of `descr`, `fortran_order` and `shape`.
    fn parse(text: &str, length: usize) -> Result<Self, String> {
        let after = |key: &str| {
            let (_, rest) = text.split_once(&format!("'{key}':")).ok_or(format!("its header has no `{key}`"))?;
            Ok::<_, String>(rest.trim_start())
        };
        let dtype = after("descr")?
            .strip_prefix('\'')
            .and_then(|rest| rest.split_once('\''))
            .map(|(dtype, _)| dtype.to_owned())
            .ok_or("its values are records, not numbers")?;
        if !after("fortran_order")?.starts_with("False") {
            return Err("it is in Fortran order: save it with numpy.ascontiguousarray".into());
        }
        let axes = after("shape")?
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
            .map(|(axes, _)| axes)
            .ok_or("its header has no shape")?;
        let shape = axes
            .split(',')
            .map(str::trim)
            .filter(|axis| !axis.is_empty())
            .map(|axis| axis.parse::<usize>().map_err(|_| format!("its shape ({axes}) makes no sense")))
            .collect::<Result<Vec<usize>, String>>()?;
        let size: usize = match dtype.as_bytes() {
            [b'|' | b'<' | b'=', b'u' | b'i' | b'f' | b'b', size @ (b'1' | b'2' | b'4' | b'8')] => {
                usize::from(size - b'0')
            }
            _ => return Err(format!("its values are of type `{dtype}`")),
        };
        let bytes = shape
            .iter()
            .try_fold(size, |product, axis| product.checked_mul(*axis))
            .ok_or_else(|| format!("its shape ({axes}) makes no sense"))?;
        Ok(Header { dtype, shape, bytes, length })
    }

    /// Reads the values that follow the header, as they lie in the file.
    pub fn values(&self, reader: &mut impl Read) -> Result<Vec<u8>, String> {
        let mut values = Vec::new();
        values.try_reserve_exact(self.bytes).map_err(|_| format!("there is no memory for {} bytes", self.bytes))?;
        reader.take(self.bytes as u64).read_to_end(&mut values).map_err(|error| error.to_string())?;
        if values.len() < self.bytes {
            return Err(format!("it is cut short: {} of {} bytes", values.len(), self.bytes));
        }
        Ok(values)
    }

    /// Values as whole numbers.
    pub fn integers(&self, values: &[u8]) -> Result<Vec<i64>, String> {
        fn each<const N: usize>(values: &[u8], number: impl Fn([u8; N]) -> Option<i64>) -> Result<Vec<i64>, String> {
            values
                .as_chunks()
                .0
                .iter()
                .map(|bytes| number(*bytes).ok_or_else(|| "a value is too large".to_owned()))
                .collect()
        }
        match self.dtype.get(1..) {
            Some("u1" | "b1") => each(values, |b| Some(i64::from(u8::from_le_bytes(b)))),
            Some("i1") => each(values, |b| Some(i64::from(i8::from_le_bytes(b)))),
            Some("u2") => each(values, |b| Some(i64::from(u16::from_le_bytes(b)))),
            Some("i2") => each(values, |b| Some(i64::from(i16::from_le_bytes(b)))),
            Some("u4") => each(values, |b| Some(i64::from(u32::from_le_bytes(b)))),
            Some("i4") => each(values, |b| Some(i64::from(i32::from_le_bytes(b)))),
            Some("u8") => each(values, |b| i64::try_from(u64::from_le_bytes(b)).ok()),
            Some("i8") => each(values, |b| Some(i64::from_le_bytes(b))),
            _ => Err(format!("its values are of type `{}`, not whole numbers", self.dtype)),
        }
    }
}

fn read_length<const N: usize>(reader: &mut impl Read) -> Result<usize, String> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).map_err(|_| "its header is cut short".to_owned())?;
    Ok(bytes.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

/// Writes arrays for tests.
#[cfg(test)]
pub(super) mod testing {
    /// An array as `NumPy` would save it.
    pub fn array(dtype: &str, shape: &str, values: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n");
        raw(&header, values)
    }

    /// An array with this header.
    pub fn raw(header: &str, values: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend_from_slice(&u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(values);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{array, raw};
    use super::*;

    fn error(bytes: &[u8]) -> String {
        Header::read(&mut &*bytes).unwrap_err()
    }

    #[test]
    fn arrays_are_read() {
        let bytes = array("<i2", "(2, 1)", &[1, 0, 255, 255]);
        let mut reader = &*bytes;
        let header = Header::read(&mut reader).unwrap();
        assert_eq!((header.shape.as_slice(), header.bytes), ([2, 1].as_slice(), 4));
        assert_eq!(header.length + 4, bytes.len());
        let values = header.values(&mut reader).unwrap();
        assert_eq!(header.integers(&values).unwrap(), [1, -1]);
    }

    #[test]
    fn lies_and_what_is_not_meant_are_told() {
        assert_eq!(error(b""), "it is not an array of NumPy");
        assert_eq!(error(b"PK\x03\x04 something else"), "it is not an array of NumPy");
        assert_eq!(error(b"\x93NUMPY\x09\x00\x10\x00"), "version 9 of NumPy's format is not known");
        assert_eq!(error(b"\x93NUMPY\x02\x00\xff\xff\xff\xff"), "its header claims to be 4294967295 bytes long");
        assert_eq!(error(b"\x93NUMPY\x01\x00\x40\x00{'descr"), "its header is cut short");
        assert_eq!(error(&array("<U12", "(2,)", b"")), "its values are of type `<U12`");
        assert_eq!(error(&array("|O", "(2,)", b"")), "its values are of type `|O`");
        assert_eq!(error(&array(">i8", "(2,)", b"")), "its values are of type `>i8`");
        assert_eq!(
            error(&array("|u1", "(4294967296, 4294967296, 4294967296)", b"")),
            "its shape (4294967296, 4294967296, 4294967296) makes no sense"
        );
        assert_eq!(error(&array("|u1", "(-1, 2)", b"")), "its shape (-1, 2) makes no sense");
        assert!(error(&raw("{'descr': '|u1', 'fortran_order': True, 'shape': (1,), }", b"")).contains("Fortran"));
        assert_eq!(error(&raw("{'descr': '|u1', 'shape': (1,), }", b"")), "its header has no `fortran_order`");
    }

    #[test]
    fn values_that_are_cut_short_are_told() {
        let bytes = array("|u1", "(10,)", &[1, 2, 3]);
        let mut reader = &*bytes;
        let header = Header::read(&mut reader).unwrap();
        assert_eq!(header.values(&mut reader).unwrap_err(), "it is cut short: 3 of 10 bytes");
    }
}
