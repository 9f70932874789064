//! The types of values in weight files.

use half::{bf16, f16};
use std::fmt;

/// The type of a tensor's values in a weight file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE half precision.
    F16,
    /// The upper half of a float32.
    Bf16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
    /// Anything that weights are not made of: listed, never read as weights.
    Other {
        /// The type's name.
        name: &'static str,
        /// Bits a value.
        bits: usize,
    },
}

impl Dtype {
    /// Signed integers of 64 bits: torch's `num_batches_tracked`.
    pub const I64: Dtype = Dtype::Other { name: "int64", bits: 64 };

    /// Bits a value.
    pub fn bits(self) -> usize {
        match self {
            Dtype::F16 | Dtype::Bf16 => 16,
            Dtype::F32 => 32,
            Dtype::F64 => 64,
            Dtype::Other { bits, .. } => bits,
        }
    }

    /// True for the types that weights can be read from.
    pub fn is_float(self) -> bool {
        !matches!(self, Dtype::Other { .. })
    }

    /// Little-endian bytes as values, rounding float64 to float32. `None` for types that are not
    /// [`Dtype::is_float`]. Bytes after the last whole value are left out.
    pub fn decode(self, bytes: &[u8]) -> Option<Vec<f32>> {
        Some(match self {
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::Bf16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
            Dtype::Other { .. } => return None,
        })
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Dtype::F16 => "float16",
            Dtype::Bf16 => "bfloat16",
            Dtype::F32 => "float32",
            Dtype::F64 => "float64",
            Dtype::Other { name, .. } => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_bit_patterns_decode() {
        assert_eq!(
            Dtype::F16.decode(&[0x00, 0x3c, 0x01, 0x00, 0x00, 0xfc]).unwrap(),
            [1.0, 2.0_f32.powi(-24), f32::NEG_INFINITY]
        );
        assert_eq!(Dtype::Bf16.decode(&[0x80, 0x3f, 0x49, 0x40]).unwrap(), [1.0, 3.140_625]);
        assert_eq!(Dtype::F32.decode(&1.5_f32.to_le_bytes()).unwrap(), [1.5]);
        assert_eq!(Dtype::F64.decode(&0.1_f64.to_le_bytes()).unwrap(), [0.1_f32]);
        assert_eq!(Dtype::I64.decode(&[0; 8]), None);
    }

    proptest::proptest! {
        /// Every float32 that float16 can hold comes back as it was.
        #[test]
        fn float16_decodes_to_what_was_encoded(bits: u16) {
            let value = f16::from_bits(bits);
            let decoded = Dtype::F16.decode(&value.to_le_bytes()).unwrap()[0];
            proptest::prop_assert!(f16::from_f32(decoded).to_bits() == bits || value.is_nan() && decoded.is_nan());
        }
    }
}
