//! `rotate`.

use super::warp::Linear;
use super::{Border, Context, ImageAugment, Pixels};
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

    fn apply(&self, image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        turned(&image, random.range(-self.degrees, self.degrees), self.fill)
    }
}

/// The image turned counter-clockwise.
fn turned(image: &Pixels, degrees: f32, border: Border) -> Pixels {
    Linear { degrees, ..Linear::IDENTITY }.apply(image, border)
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
            let out = rotate.apply(image.clone(), [101, 101].into(), &mut Key::new(n, Purpose::Augment).stream());
            let brightest = (0..out.bytes.len()).max_by_key(|&i| out.bytes[i]).unwrap_or(0);
            let height = (brightest / 101) as f32 - 50.0;
            assert!(height.abs() <= 48.0 * 10.0_f32.to_radians().sin() + 1.0, "{height}");
        }
    }
}
