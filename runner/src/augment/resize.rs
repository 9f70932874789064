//! `resize`.

use super::arguments::check_within;
use super::{Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scales the image, proportions kept, before a crop: bilinear, antialiased when it gets smaller. As
/// torchvision's `Resize`. One of the two lengths is needed. An image that no later entry crops to the
/// size of the net's input is brought to it as `data.image.fit` says.
///
/// `resize: { shorter: 256 }`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resize {
    /// The length to which the shorter side is brought, in [1, 4096] pixels. The longer side never
    /// gets longer than 16384.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shorter: Option<usize>,
    /// The length to which the longer side is brought, in [1, 4096] pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longer: Option<usize>,
}

/// Keeps thin images within memory.
const LONGEST: f64 = 16_384.0;

impl ImageAugment for Resize {
    fn check(&self, at: &Path, problems: &mut Problems) {
        for (key, length) in [("shorter", self.shorter), ("longer", self.longer)] {
            if let Some(length) = length {
                check_within(length, 1..=4096, at.key(key), problems);
            }
        }
        if self.shorter.is_some() == self.longer.is_some() {
            let problem = Problem::new(at.clone(), "either `shorter` or `longer` says how large the image gets");
            problems.push(problem.help("expected one of them: `resize: { shorter: 256 }`"));
        }
    }

    fn sizes(&self) -> bool {
        true
    }

    fn is_fixed(&self) -> bool {
        true
    }

    fn apply(&self, image: Pixels, _: Context, _: &mut Stream) -> Pixels {
        let size = image.size().map(|side| side as f64);
        let (shorter, longer) = (size[0].min(size[1]), size[0].max(size[1]));
        let scale = match (self.shorter, self.longer) {
            (Some(length), _) => length as f64 / shorter,
            (None, Some(length)) => length as f64 / longer,
            (None, None) => 1.0,
        };
        let scale = scale.min(LONGEST / longer);
        let region = image.whole();
        image.resized(region, size.map(|side| ((side * scale).round() as usize).max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, refused, waves};
    use super::*;

    fn size(resize: &Resize, [height, width]: [usize; 2]) -> [usize; 2] {
        apply(resize, &waves(height, width, 1), 0).size()
    }

    #[test]
    fn the_side_asked_for_gets_its_length_and_proportions_stay() {
        let shorter = Resize { shorter: Some(20), longer: None };
        assert_eq!([[40, 80], [80, 40], [10, 10]].map(|from| size(&shorter, from)), [[20, 40], [40, 20], [20, 20]]);
        let longer = Resize { shorter: None, longer: Some(20) };
        assert_eq!([[40, 80], [80, 40], [1, 300]].map(|from| size(&longer, from)), [[10, 20], [20, 10], [1, 20]]);
    }

    #[test]
    fn a_thin_image_does_not_fill_the_memory() {
        assert_eq!(size(&Resize { shorter: Some(1000), longer: None }, [1, 3000]), [5, 16_384]);
    }

    #[test]
    fn content_is_scaled() {
        let image = Pixels { height: 2, width: 4, channels: 1, bytes: vec![0, 0, 200, 200, 0, 0, 200, 200] };
        let out = apply(&Resize { shorter: Some(1), longer: None }, &image, 0);
        assert!(out.size() == [1, 2] && out.bytes[0] < 30 && out.bytes[1] > 170, "{:?}", out.bytes);
    }

    #[test]
    fn one_length_is_needed_and_in_range() {
        assert_eq!(refused(&Resize::default()), ["a"]);
        assert_eq!(refused(&Resize { shorter: Some(2), longer: Some(3) }), ["a"]);
        assert_eq!(refused(&Resize { shorter: Some(0), longer: None }), ["a.shorter"]);
        assert_eq!(refused(&Resize { shorter: None, longer: Some(5000) }), ["a.longer"]);
    }
}
