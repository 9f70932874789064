//! Changes by the frequency of values.

use super::Pixels;
use super::colour::to_byte;

/// Makes all values of each channel about equally frequent, as Pillow's `ImageOps.equalize`.
pub fn equalize(image: &mut Pixels) {
    each_channel(image, |counts| {
        let last = counts.iter().rev().find(|&&count| count > 0).copied().unwrap_or(0);
        let step = (counts.iter().sum::<u32>() - last) / 255;
        if step == 0 {
            return None;
        }
        let mut below = step / 2;
        Some(std::array::from_fn(|value| {
            let equalized = (below / step).min(255) as u8;
            below += counts[value];
            equalized
        }))
    });
}

/// Stretches the values of each channel from black to white, as Pillow's `ImageOps.autocontrast`.
pub fn auto_contrast(image: &mut Pixels) {
    each_channel(image, |counts| {
        let least = counts.iter().position(|&count| count > 0)?;
        let greatest = counts.iter().rposition(|&count| count > 0)?;
        let range = greatest.checked_sub(least).filter(|&range| range > 0)?;
        Some(std::array::from_fn(|value| to_byte((value as f32 - least as f32) * 255.0 / range as f32)))
    });
}

/// How often each value occurs.
pub fn counts(values: impl IntoIterator<Item = u8>) -> [u32; 256] {
    let mut counts = [0; 256];
    for value in values {
        counts[usize::from(value)] += 1;
    }
    counts
}

/// Maps each channel by the table that `table` makes from the frequency of its values, if it does.
fn each_channel(image: &mut Pixels, table: impl Fn(&[u32; 256]) -> Option<[u8; 256]>) {
    for channel in 0..image.channels {
        let counts = counts(image.bytes.iter().skip(channel).step_by(image.channels).copied());
        if let Some(table) = table(&counts) {
            for value in image.bytes.iter_mut().skip(channel).step_by(image.channels) {
                *value = table[usize::from(*value)];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::grey;
    use super::*;

    #[test]
    fn equalized_values_are_pillows() {
        // ImageOps.equalize(Image.new("L", (32, 32)) with 512 of 10, 256 of 20, 256 of 30):
        // step (1024 - 256) / 255 = 3; 10 -> 1 / 3 = 0, 20 -> 513 / 3 = 171, 30 -> 769 / 3 = 256, cut to 255.
        let bytes = (0..1024).map(|i| if i < 512 { 10 } else { 20 + 10 * u8::from(i >= 768) }).collect();
        let mut image = Pixels { height: 32, width: 32, channels: 1, bytes };
        equalize(&mut image);
        assert_eq!([0, 511, 512, 767, 768, 1023].map(|i| image.bytes[i]), [0, 0, 171, 171, 255, 255]);
    }

    #[test]
    fn one_value_alone_stays() {
        for change in [equalize, auto_contrast] {
            let mut image = Pixels { height: 30, width: 30, channels: 1, bytes: vec![77; 900] };
            change(&mut image);
            assert!(image.bytes.iter().all(|&value| value == 77));
        }
    }

    #[test]
    fn contrast_is_stretched_by_channel() {
        let mut image = grey(&[[100, 150, 200]]);
        auto_contrast(&mut image);
        assert_eq!(image.bytes, [0, 128, 255]);
        let mut image = Pixels { height: 1, width: 2, channels: 3, bytes: vec![0, 10, 7, 5, 20, 7] };
        auto_contrast(&mut image);
        assert_eq!(image.bytes, [0, 0, 7, 255, 255, 7]);
    }
}
