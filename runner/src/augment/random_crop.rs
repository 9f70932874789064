//! `random_crop`.

use super::{Border, Context, ImageAugment, Pixels, Region};
use crate::random::Stream;
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A random window of the net's input size. As torchvision's `RandomCrop`.
///
/// With `padding` the image is brought to size, padded on every side and cut to size again:
/// `random_crop: { padding: 4 }` shifts it by up to 4 pixels in each direction. With `resize` it is
/// torchvision's `Resize` and then `RandomCrop`, as ImageNet nets are trained:
/// `random_crop: { resize: 256 }`. One of the two is needed.
///
/// `random_crop: { padding: 4, fill: reflect }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomCrop {
    /// Pixels added on each side before cutting.
    #[serde(default)]
    pub padding: usize,
    /// The length to which the image's shorter side is brought before cutting, proportions kept. Where
    /// that is less than the net's input, the image is enlarged until it covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
    /// What the padding holds.
    #[serde(default)]
    pub fill: Border,
}

/// No image is larger; keeps sums of sizes far from overflow.
const MAX_SIDE: usize = 65_536;

impl ImageAugment for RandomCrop {
    fn check(&self, at: &Path, problems: &mut Problems) {
        let expected = format!("expected a number of pixels up to {MAX_SIDE}");
        if self.padding > MAX_SIDE {
            problems.push(Problem::new(at.key("padding"), format!("{} is too much", self.padding)).help(&expected));
        }
        match self.resize {
            Some(resize) if !(1..=MAX_SIDE).contains(&resize) => {
                problems
                    .push(Problem::new(at.key("resize"), format!("{resize} is no length of a side")).help(expected));
            }
            Some(_) if self.padding > 0 => {
                let problem = Problem::new(at.key("padding"), "an image that is cut by `resize` is not padded");
                problems.push(problem.help("leave out `padding` or `resize`"));
            }
            None if self.padding == 0 => {
                let problem = Problem::new(at.clone(), "without `padding` or `resize` there is nothing to cut");
                problems.push(problem.help("say by how much to shift: `random_crop: { padding: 4 }`"));
            }
            _ => {}
        }
    }

    fn sizes(&self) -> bool {
        self.resize.is_some()
    }

    fn apply(&self, image: Pixels, context: Context, random: &mut Stream) -> Pixels {
        match self.resize {
            Some(shorter) => cut(image, shorter, context.target, random),
            None => shift(&image, self.padding, self.fill, random),
        }
    }
}

/// A random window of the image scaled to a shorter side of `shorter`. The window is taken from the
/// image in its own size, which is the same and never holds the scaled image in memory.
fn cut(image: Pixels, shorter: usize, target: [usize; 2], random: &mut Stream) -> Pixels {
    let all = image.whole();
    let [height, width] = target.map(|side| side as f64);
    let scale = (shorter as f64 / all.height.min(all.width)).max(height / all.height).max(width / all.width);
    let (height, width) = ((height / scale).min(all.height), (width / scale).min(all.width));
    let top = f64::from(random.unit()) * (all.height - height);
    let left = f64::from(random.unit()) * (all.width - width);
    image.resized(Region { top, left, height, width }, target)
}

/// The image moved by up to `padding` pixels in each direction.
fn shift(image: &Pixels, padding: usize, border: Border, random: &mut Stream) -> Pixels {
    let mut offset = || random.below(2 * padding + 1) as isize - padding as isize;
    let (top, left) = (offset(), offset());
    window(image, top, left, image.size(), border)
}

/// The window of `size` whose first pixel stands at (top, left) of the image.
fn window(image: &Pixels, top: isize, left: isize, size: [usize; 2], border: Border) -> Pixels {
    let channels = image.channels;
    let mut out = Pixels::black(size[0], size[1], channels);
    let columns: Vec<_> = (0..size[1]).map(|x| border.place(left + x as isize, image.width)).collect();
    for (y, row) in out.bytes.chunks_exact_mut(size[1] * channels).enumerate() {
        let Some(from) = border.place(top + y as isize, image.height) else { continue };
        let source = &image.bytes[from * image.width * channels..][..image.width * channels];
        for (pixel, column) in row.chunks_exact_mut(channels).zip(&columns) {
            if let Some(column) = column {
                pixel.copy_from_slice(&source[column * channels..][..channels]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Purpose};
    use std::collections::BTreeSet;

    /// A 3x3 image whose middle alone is set.
    fn dot() -> Pixels {
        let mut image = Pixels::black(3, 3, 1);
        image.bytes[4] = 200;
        image
    }

    #[test]
    fn padding_shifts_by_every_amount_up_to_it() {
        let crop = RandomCrop { padding: 1, resize: None, fill: Border::Black };
        let places: BTreeSet<_> = (0..300)
            .map(|n| {
                let image = crop.apply(dot(), [3, 3].into(), &mut Key::new(n, Purpose::Augment).stream());
                assert_eq!(image.bytes.iter().map(|&value| usize::from(value)).sum::<usize>(), 200);
                image.bytes.iter().position(|&value| value == 200)
            })
            .collect();
        assert_eq!(places.len(), 9);
    }

    #[test]
    fn reflected_padding_holds_the_image() {
        let image = Pixels { height: 1, width: 3, channels: 1, bytes: vec![1, 2, 3] };
        assert_eq!(window(&image, 0, -2, [1, 7], Border::Reflect).bytes, [3, 2, 1, 2, 3, 2, 1]);
        assert_eq!(window(&image, 0, -2, [1, 7], Border::Black).bytes, [0, 0, 1, 2, 3, 0, 0]);
    }

    #[test]
    fn with_resize_any_image_comes_out_at_the_target() {
        let crop = RandomCrop { padding: 0, resize: Some(16), fill: Border::Black };
        assert!(crop.sizes());
        for (height, width) in [(16, 40), (1, 300), (1000, 7), (20, 20)] {
            let image = Pixels { height, width, channels: 3, bytes: vec![9; height * width * 3] };
            let image = crop.apply(image, [12, 18].into(), &mut Key::new(0, Purpose::Augment).stream());
            assert_eq!(image.size(), [12, 18]);
            assert!(image.bytes.iter().all(|&value| value == 9), "no padding is seen");
        }
    }

    #[test]
    fn a_window_shows_the_share_that_resize_says() {
        // A ramp over 100 columns: the window's first and last value tell its place and width.
        let image =
            Pixels { height: 100, width: 100, channels: 1, bytes: (0..10_000).map(|i| (i % 100) as u8).collect() };
        let crop = RandomCrop { padding: 0, resize: Some(40), fill: Border::Black };
        let mut lefts = BTreeSet::new();
        for n in 0..200 {
            let out = crop.apply(image.clone(), [32, 32].into(), &mut Key::new(n, Purpose::Augment).stream());
            let width = out.bytes[31] - out.bytes[0];
            assert!((76..=79).contains(&width), "31 of 32 pixels of 2.5 columns: {width}");
            lefts.insert(out.bytes[0]);
        }
        assert!(lefts.len() > 15, "all of the room is used: {lefts:?}");
    }

    #[test]
    fn nothing_to_do_is_a_problem() {
        let mut problems = Problems::default();
        RandomCrop { padding: 0, resize: None, fill: Border::Black }.check(&Path::of("a"), &mut problems);
        RandomCrop { padding: usize::MAX, resize: Some(0), fill: Border::Black }.check(&Path::of("b"), &mut problems);
        let paths: Vec<_> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(paths, ["a", "b.padding", "b.resize"]);
        let mut problems = Problems::default();
        RandomCrop { padding: 4, resize: Some(64), fill: Border::Black }.check(&Path::of("c"), &mut problems);
        assert_eq!(problems.0.len(), 1, "padding is not silently ignored");
    }
}
