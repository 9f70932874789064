//! Numbers as bytes, little-endian, as files and hashes have them.

use std::borrow::Cow;

/// The bytes of some values; without a copy where the machine has them in this order.
pub fn le_bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_significant_byte_comes_first() {
        assert_eq!(*le_bytes(&[1.0, -2.5]), [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]);
        assert!(le_bytes(&[]).is_empty());
    }
}
