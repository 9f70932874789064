//! `rotate`.

use super::{Border, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Turns the image about its centre by a random angle, size kept. As torchvision's `RandomRotation`
/// with bilinear interpolation.
///
/// `rotate: { degrees: 15 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// The greatest angle in either direction, in degrees, in [0, 180].
    pub degrees: f32,
    /// What is seen where the turned image does not reach.
    #[serde(default)]
    pub fill: Border,
}

impl ImageAugment for Rotate {
    fn check(&self, at: &Path, problems: &mut Problems) {
        if !(0.0..=180.0).contains(&self.degrees) {
            let problem = Problem::new(at.key("degrees"), format!("{} is no greatest angle", self.degrees));
            problems.push(problem.help("expected a number from 0 to 180"));
        }
    }

    fn apply(&self, image: Pixels, _: [usize; 2], random: &mut Stream) -> Pixels {
        turned(&image, random.range(-self.degrees, self.degrees), self.fill)
    }
}

/// The image turned counter-clockwise.
fn turned(image: &Pixels, degrees: f32, border: Border) -> Pixels {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let channels = image.channels;
    let (middle_y, middle_x) = ((image.height - 1) as f32 / 2.0, (image.width - 1) as f32 / 2.0);
    let mut out = Pixels::black(image.height, image.width, channels);
    for (y, row) in out.bytes.chunks_exact_mut(image.width * channels).enumerate() {
        let down = y as f32 - middle_y;
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let right = x as f32 - middle_x;
            // The inverse turn: where this pixel comes from. Rows count downwards.
            sample(image, middle_y + cos * down + sin * right, middle_x + cos * right - sin * down, border, pixel);
        }
    }
    out
}

/// The image's colour at a place between pixels.
fn sample(image: &Pixels, y: f32, x: f32, border: Border, pixel: &mut [u8]) {
    let (top, left) = (y.floor(), x.floor());
    let (down, right) = (y - top, x - left);
    let rows = [border.place(top as isize, image.height), border.place(top as isize + 1, image.height)];
    let columns = [border.place(left as isize, image.width), border.place(left as isize + 1, image.width)];
    let mut sum = [0.0_f32; 3];
    for (row, row_weight) in rows.into_iter().zip([1.0 - down, down]) {
        for (column, column_weight) in columns.into_iter().zip([1.0 - right, right]) {
            let (Some(row), Some(column)) = (row, column) else { continue };
            let source = &image.bytes[(row * image.width + column) * image.channels..][..image.channels];
            for (sum, &value) in sum.iter_mut().zip(source) {
                *sum += row_weight * column_weight * f32::from(value);
            }
        }
    }
    for (value, sum) in pixel.iter_mut().zip(sum) {
        *value = (sum + 0.5) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};

    fn squares() -> Pixels {
        Pixels { height: 2, width: 2, channels: 3, bytes: vec![1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4] }
    }

    #[test]
    fn a_quarter_turns_counter_clockwise() {
        let corners = |image: &Pixels| image.bytes.iter().step_by(3).copied().collect::<Vec<_>>();
        assert_eq!(turned(&squares(), 0.0, Border::Black), squares());
        assert_eq!(corners(&turned(&squares(), 90.0, Border::Reflect)), [2, 4, 1, 3]);
        assert_eq!(corners(&turned(&squares(), -90.0, Border::Reflect)), [3, 1, 4, 2]);
        assert_eq!(corners(&turned(&squares(), 180.0, Border::Reflect)), [4, 3, 2, 1]);
    }

    #[test]
    fn corners_are_filled_as_asked() {
        let white = Pixels { height: 20, width: 20, channels: 1, bytes: vec![255; 400] };
        let black = turned(&white, 45.0, Border::Black);
        assert_eq!((black.bytes[0], black.bytes[10 * 20 + 10]), (0, 255));
        assert!(turned(&white, 45.0, Border::Reflect).bytes.iter().all(|&value| value == 255));
    }

    #[test]
    fn turning_there_and_back_gives_the_image_again() {
        // A smooth image, away from the border: interpolation hardly changes it.
        let value =
            |i: usize| (128.0 + 60.0 * ((i / 40) as f32 / 9.0).sin() + 60.0 * ((i % 40) as f32 / 7.0).cos()) as u8;
        let image = Pixels { height: 40, width: 40, channels: 1, bytes: (0..1600).map(value).collect() };
        let back = turned(&turned(&image, 27.0, Border::Reflect), -27.0, Border::Reflect);
        for y in 10..30 {
            for x in 10..30 {
                assert!(image.bytes[y * 40 + x].abs_diff(back.bytes[y * 40 + x]) <= 3);
            }
        }
    }

    #[test]
    fn angles_stay_within_the_range() {
        // Only the middle of the right border is set; seen from the centre, it tells the angle.
        let mut image = Pixels::black(101, 101, 1);
        image.bytes[50 * 101 + 97..50 * 101 + 100].fill(255);
        for n in 0..50 {
            let rotate = Rotate { degrees: 10.0, fill: Border::Black };
            let out = rotate.apply(image.clone(), [101, 101], &mut Key::new(n, Purpose::Augment).stream());
            let brightest = (0..out.bytes.len()).max_by_key(|&i| out.bytes[i]).unwrap_or(0);
            let height = (brightest / 101) as f32 - 50.0;
            assert!(height.abs() <= 48.0 * 10.0_f32.to_radians().sin() + 1.0, "{height}");
        }
    }
}
