//! Changes to the colours of an image. The formulas are torchvision's; results are rounded.

use super::Pixels;
use super::pixels::luminance;

/// A value rounded and cut to a byte.
pub fn to_byte(value: f32) -> u8 {
    // The cast cuts to 0..=255.
    (value + 0.5) as u8
}

/// Whether a factor is so near to 1 that every byte is rounded to what it was.
fn changes_nothing(factor: f32) -> bool {
    (factor - 1.0).abs() < 1e-3
}

/// Makes every byte what `value` says of it.
pub fn map(image: &mut Pixels, value: impl Fn(u8) -> u8) {
    let table: [u8; 256] = std::array::from_fn(|byte| value(byte as u8));
    for byte in &mut image.bytes {
        *byte = table[usize::from(*byte)];
    }
}

/// Moves every value towards `other`, or away from it where the factor is above 1.
fn blend_with(image: &mut Pixels, factor: f32, other: f32) {
    if !changes_nothing(factor) {
        map(image, |value| to_byte(factor * f32::from(value) + (1.0 - factor) * other));
    }
}

/// Multiplies every value by `factor`.
pub fn brighten(image: &mut Pixels, factor: f32) {
    blend_with(image, factor, 0.0);
}

/// Multiplies every value's distance from the image's mean luminance by `factor`.
pub fn contrast(image: &mut Pixels, factor: f32) {
    let mean = mean_luminance(image);
    blend_with(image, factor, mean);
}

/// The mean luminance of an image.
pub fn mean_luminance(image: &Pixels) -> f32 {
    let sum: u64 = image.bytes.chunks_exact(image.channels).map(|pixel| u64::from(luminance(pixel))).sum();
    (sum as f64 / (image.height * image.width) as f64) as f32
}

/// Multiplies every value's distance from its pixel's luminance by `factor`. Grey images have no
/// saturation.
pub fn saturate(image: &mut Pixels, factor: f32) {
    if changes_nothing(factor) || image.channels != 3 {
        return;
    }
    for pixel in image.bytes.chunks_exact_mut(3) {
        let grey = (1.0 - factor) * f32::from(luminance(pixel));
        for value in pixel {
            *value = to_byte(factor * f32::from(*value) + grey);
        }
    }
}

/// Turns the hue in the HSV hexcone (Smith 1978) by a share of the wheel; saturation and value are
/// kept. Grey images have no hue.
pub fn shift_hue(image: &mut Pixels, shift: f32) {
    if shift == 0.0 || image.channels != 3 {
        return;
    }
    for pixel in image.bytes.chunks_exact_mut(3) {
        let channels = [0, 1, 2].map(|channel| pixel[channel]);
        let (most, least) = channels.iter().fold((0, 255), |(most, least), &value| (value.max(most), value.min(least)));
        if most == least {
            continue;
        }
        let [r, g, b] = channels.map(f32::from);
        let range = f32::from(most - least);
        let sector = if most == channels[0] {
            (g - b) / range
        } else if most == channels[1] {
            2.0 + (b - r) / range
        } else {
            4.0 + (r - g) / range
        };
        let sector = (sector / 6.0 + shift).rem_euclid(1.0) * 6.0;
        // Each channel is a trapezoid over the colour wheel, a third of it apart.
        for (value, offset) in pixel.iter_mut().zip([5.0, 3.0, 1.0]) {
            let place = (offset + sector) % 6.0;
            *value = to_byte(f32::from(most) - range * place.min(4.0 - place).clamp(0.0, 1.0));
        }
    }
}

/// Keeps the luminance alone, in every channel.
pub fn grey(image: &mut Pixels) {
    for pixel in image.bytes.chunks_exact_mut(image.channels) {
        let value = luminance(pixel);
        pixel.fill(value);
    }
}

/// Keeps the `bits` highest bits of every value, of 8.
pub fn posterize(image: &mut Pixels, bits: u32) {
    let mask = !(0xff_u32 >> bits.min(8)) as u8;
    map(image, |value| value & mask);
}

/// Inverts every value from `threshold` on.
pub fn solarize(image: &mut Pixels, threshold: u32) {
    map(image, |value| if u32::from(value) >= threshold { 255 - value } else { value });
}

/// Multiplies every value's distance from the weighted mean of its neighbourhood (3x3, the pixel
/// itself five-fold, as Pillow's `SMOOTH`) by `factor`: above 1 it gets sharper. The outermost
/// pixels are kept.
pub fn sharpen(image: &mut Pixels, factor: f32) {
    let (height, width, channels) = (image.height, image.width, image.channels);
    if changes_nothing(factor) || height < 3 || width < 3 {
        return;
    }
    let source = image.bytes.clone();
    let row_len = width * channels;
    for y in 1..height - 1 {
        for at in y * row_len + channels..(y + 1) * row_len - channels {
            let rows = [at - row_len, at, at + row_len];
            let sum: u32 =
                rows.iter().flat_map(|&row| [row - channels, row, row + channels]).map(|i| u32::from(source[i])).sum();
            let own = f32::from(source[at]);
            // The smoothed value is rounded first, as Pillow's and torchvision's.
            let smooth = ((sum as f32 + 4.0 * own) / 13.0).round();
            image.bytes[at] = to_byte(factor * own + (1.0 - factor) * smooth);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn image() -> Pixels {
        Pixels { height: 1, width: 3, channels: 3, bytes: vec![200, 100, 50, 10, 20, 30, 90, 90, 90] }
    }

    fn after(change: impl Fn(&mut Pixels)) -> Vec<u8> {
        let mut image = image();
        change(&mut image);
        image.bytes
    }

    #[test]
    fn formulas_are_torchvisions() {
        assert_eq!(after(|image| brighten(image, 1.5)), [255, 150, 75, 15, 30, 45, 135, 135, 135]);
        // Luminances 124, 18, 90: mean 77.33.
        assert!((mean_luminance(&image()) - 232.0 / 3.0).abs() < 1e-4);
        assert_eq!(after(|image| contrast(image, 0.5)), [139, 89, 64, 44, 49, 54, 84, 84, 84]);
        assert_eq!(after(|image| saturate(image, 0.0)), [124, 124, 124, 18, 18, 18, 90, 90, 90]);
        assert_eq!(after(grey), [124, 124, 124, 18, 18, 18, 90, 90, 90]);
    }

    #[test]
    fn hue_goes_around_the_wheel() {
        for (shift, expected) in [(1.0 / 3.0, [50, 200, 100]), (-1.0 / 3.0, [100, 50, 200]), (1.0, [200, 100, 50])] {
            let shifted = after(|image| shift_hue(image, shift));
            assert_eq!(shifted[..3], expected, "by {shift}");
            assert_eq!(shifted[6..], [90, 90, 90], "grey has no hue");
        }
        let mut opposite = Pixels { height: 1, width: 1, channels: 3, bytes: vec![255, 0, 0] };
        shift_hue(&mut opposite, 0.5);
        assert_eq!(opposite.bytes, [0, 255, 255]);
    }

    #[test]
    fn bits_are_cut_and_values_inverted_from_a_threshold_on() {
        assert_eq!(after(|image| posterize(image, 3)), [192, 96, 32, 0, 0, 0, 64, 64, 64]);
        assert_eq!(after(|image| posterize(image, 8)), image().bytes);
        assert_eq!(after(|image| posterize(image, 0)), [0; 9]);
        assert_eq!(after(|image| solarize(image, 90)), [55, 155, 50, 10, 20, 30, 165, 165, 165]);
        assert_eq!(after(|image| solarize(image, 256)), image().bytes);
    }

    #[test]
    fn sharpness_is_the_distance_from_the_neighbours() {
        let mut soft = testing::grey(&[[10, 10, 10], [10, 100, 10], [10, 10, 10]]);
        let mut sharp = soft.clone();
        // (8 * 10 + 5 * 100) / 13 = 44.6, rounded 45.
        sharpen(&mut soft, 0.0);
        assert_eq!(soft, testing::grey(&[[10, 10, 10], [10, 45, 10], [10, 10, 10]]));
        sharpen(&mut sharp, 2.0);
        assert_eq!(sharp.bytes[4], 155);
        let mut thin = testing::grey(&[[1, 200, 7]]);
        sharpen(&mut thin, 5.0);
        assert_eq!(thin, testing::grey(&[[1, 200, 7]]));
    }
}
