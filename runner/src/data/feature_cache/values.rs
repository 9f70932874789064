//! Values as bytes.

use crate::le_bytes::le_bytes;
use crate::spec::Precision;
use half::f16;

/// The bytes of some values, little-endian.
pub fn encode(values: &[f32], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 => le_bytes(values).into_owned(),
        Precision::F16 => values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect(),
    }
}

/// Appends the values of some bytes to `out`.
pub fn decode(bytes: &[u8], precision: Precision, out: &mut Vec<f32>) {
    match precision {
        Precision::F32 => out.extend(bytes.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four))),
        Precision::F16 => out.extend(bytes.as_chunks().0.iter().map(|&two| f16::from_le_bytes(two).to_f32())),
    }
}

/// The values as they come back when they were kept.
pub fn rounded(mut values: Vec<f32>, precision: Precision) -> Vec<f32> {
    if precision == Precision::F16 {
        for value in &mut values {
            *value = f16::from_f32(*value).to_f32();
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let values = [0.0, -1.5, 1e-7, 65504.0, f32::MIN_POSITIVE];
        let mut back = vec![7.0];
        decode(&encode(&values, Precision::F32), Precision::F32, &mut back);
        assert_eq!(back, [7.0, 0.0, -1.5, 1e-7, 65504.0, f32::MIN_POSITIVE]);
        let mut rounded = Vec::new();
        decode(&encode(&values, Precision::F16), Precision::F16, &mut rounded);
        assert_eq!([rounded[0], rounded[1], rounded[3]], [0.0, -1.5, 65504.0]);
        assert!((rounded[2] - 1e-7).abs() < 6e-8 && rounded[4] == 0.0);
    }
}
