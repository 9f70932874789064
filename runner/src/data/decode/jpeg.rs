//! Tells whether a JPEG is whole.

/// Whether the end-of-image marker is there (ITU-T T.81, B.1.1). The decoder fills what is missing
/// of an image with grey and says nothing, so a file that was cut short has to be known before.
pub fn is_complete(bytes: &[u8]) -> bool {
    let mut at = 2; // after the start-of-image marker
    while let Some((marker, after)) = next_marker(bytes, at) {
        at = after;
        match marker {
            END_OF_IMAGE => return true,
            START_OF_IMAGE | TEMPORARY | 0xd0..=0xd7 => {}
            _ => match bytes.get(at..at + 2) {
                // The length counts itself. What follows a start of scan is entropy-coded data, in
                // which the next marker is looked for just as between segments.
                Some(&[high, low]) => at += usize::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
        }
    }
    false
}

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const TEMPORARY: u8 = 0x01;

/// The next marker from `at` on, and the place after it. `FF 00` is a data byte, `FF FF` fill.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += memchr::memchr(0xff, bytes.get(at..)?)?;
        match bytes.get(at + 1)? {
            0x00 => at += 2,
            0xff => at += 1,
            &marker => return Some((marker, at + 2)),
        }
    }
}
