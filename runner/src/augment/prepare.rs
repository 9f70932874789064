//! The way of one image from its source to the net's input.

use super::lead::sizing;
use super::{Augment, Context, ImageAugment, Lead, Pixels, fit};
use crate::plan::Normalization;
use crate::random::Key;
use crate::spec::Image;
use std::borrow::Cow;

/// The way of one image to the net: augmented (in training), brought to size, converted to the
/// channels asked for, normalized.
#[derive(Debug, Clone)]
pub struct Prepare {
    image: Image,
    augments: Vec<Augment>,
    lead: Lead,
    /// How many entries there are up to the last that decides on the size.
    sizing: usize,
    /// What each byte value becomes, by channel.
    tables: Vec<[f32; 256]>,
}

impl Prepare {
    /// The way to the form that `image` asks for. `normalize` has as many channels as `image`.
    pub fn new(image: Image, normalize: &Normalization, augments: Vec<Augment>) -> Self {
        let tables = normalize.mean.iter().zip(&normalize.std);
        let tables = tables.map(|(mean, std)| std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std)).collect();
        let (lead, sizing) = (Lead::new(&image, &augments), sizing(&augments));
        Prepare { image, augments, lead, sizing, tables }
    }

    /// (height, width, channels) of what comes out.
    pub fn dims(&self) -> [usize; 3] {
        let [height, width] = self.image.size.0;
        [height, width, self.image.channels.count()]
    }

    /// The part of the way that is the same each time.
    pub fn lead(&self) -> &Lead {
        &self.lead
    }

    /// The image augmented; `key` is that of the sample in this epoch, of the whole run from 1. Entry i
    /// draws from `key.with(i)`.
    pub fn training(&self, image: Pixels, epoch: u64, key: Key) -> Pixels {
        self.rest(&self.lead.apply(image), epoch, key)
    }

    /// As [`Prepare::training`], of an image that has its lead behind it.
    pub fn rest(&self, image: &Pixels, epoch: u64, key: Key) -> Pixels {
        let context = Context { target: self.image.size.0, epoch };
        let mut image = Cow::Borrowed(image);
        for (place, entry) in self.augments.iter().enumerate().skip(self.lead.len()) {
            if place == self.sizing && self.lead.size().is_none() {
                image = Cow::Owned(self.fit(image.into_owned()));
            }
            let random = &mut key.with(place as u64).stream();
            image = Cow::Owned(match image {
                Cow::Borrowed(image) => entry.apply_to(image, context, random),
                Cow::Owned(image) => entry.apply(image, context, random),
            });
        }
        self.evaluation(image.into_owned())
    }

    /// The image as it is, brought to size.
    pub fn evaluation(&self, image: Pixels) -> Pixels {
        self.fit(image).with_channels(self.image.channels.count())
    }

    fn fit(&self, image: Pixels) -> Pixels {
        fit(image, self.image.size.0, self.image.fit)
    }

    /// Appends the image's values, normalized, in the order of its bytes.
    pub fn normalize(&self, image: &Pixels, out: &mut Vec<f32>) {
        out.reserve(image.bytes.len());
        match self.tables.as_slice() {
            [r, g, b] => {
                for pixel in image.bytes.chunks_exact(3) {
                    let [at_r, at_g, at_b] = [0, 1, 2].map(|channel| usize::from(pixel[channel]));
                    out.extend_from_slice(&[r[at_r], g[at_g], b[at_b]]);
                }
            }
            tables => {
                let tables = tables.iter().cycle();
                out.extend(image.bytes.iter().zip(tables).map(|(&byte, table)| table[usize::from(byte)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Border, HorizontalFlip, RandomCrop, RandomResizedCrop, Rotate};
    use super::*;
    use crate::random::Purpose;
    use crate::spec::{Fit, Normalize};

    fn image(channels: crate::spec::data::Channels) -> Image {
        Image { size: [4, 6].into_size(), channels, normalize: Normalize::Unit, fit: Fit::Crop }
    }

    trait IntoSize {
        fn into_size(self) -> crate::spec::size::Size;
    }

    impl IntoSize for [usize; 2] {
        fn into_size(self) -> crate::spec::size::Size {
            crate::spec::size::Size(self)
        }
    }

    fn normalization(channels: usize) -> Normalization {
        Normalization { mean: vec![0.25; channels], std: vec![0.5; channels] }
    }

    fn key() -> Key {
        Key::new(0, Purpose::Augment)
    }

    #[test]
    fn whatever_goes_in_the_right_size_comes_out() {
        use crate::spec::data::Channels;
        let lists: Vec<Vec<Augment>> = vec![
            vec![],
            vec![Augment::Rotate(Rotate { degrees: 30.0, fill: Border::Black })],
            vec![Augment::RandomCrop(RandomCrop { padding: 2, resize: None, fill: Border::Reflect })],
            vec![
                Augment::HorizontalFlip(HorizontalFlip { p: 1.0 }),
                Augment::RandomResizedCrop(RandomResizedCrop { scale: [0.1, 1.0], ratio: [0.7, 1.4] }),
                Augment::RandomCrop(RandomCrop { padding: 2, resize: None, fill: Border::Black }),
            ],
        ];
        for augments in lists {
            for (channels, target) in [(1, Channels::Rgb), (3, Channels::Gray), (3, Channels::Rgb), (1, Channels::Gray)]
            {
                let prepare = Prepare::new(image(target), &normalization(target.count()), augments.clone());
                for [height, width] in [[1, 1], [4, 6], [50, 3], [3, 50]] {
                    let pixels = Pixels::black(height, width, channels);
                    for out in [prepare.training(pixels.clone(), 1, key()), prepare.evaluation(pixels)] {
                        assert_eq!([out.height, out.width, out.channels], [4, 6, target.count()]);
                        let mut values = Vec::new();
                        prepare.normalize(&out, &mut values);
                        assert_eq!(values.len(), 24 * target.count());
                    }
                }
            }
        }
    }

    #[test]
    fn values_are_normalized_by_channel() {
        let normalize = Normalization { mean: vec![0.0, 0.5, 1.0], std: vec![1.0, 0.5, 0.25] };
        let prepare = Prepare::new(image(crate::spec::data::Channels::Rgb), &normalize, vec![]);
        let mut values = Vec::new();
        prepare
            .normalize(&Pixels { height: 1, width: 2, channels: 3, bytes: vec![0, 0, 0, 255, 255, 255] }, &mut values);
        assert_eq!(values, [0.0, -1.0, -4.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn an_entry_draws_the_same_whatever_the_others_draw() {
        // A flip after a crop that draws a lot, or after one that draws nothing: the same decision.
        let flips = |first: Augment| -> Vec<bool> {
            let flip = Augment::HorizontalFlip(HorizontalFlip { p: 0.5 });
            let prepare = Prepare::new(image(crate::spec::data::Channels::Gray), &normalization(1), vec![first, flip]);
            let ramp = Pixels { height: 4, width: 6, channels: 1, bytes: (0..24).map(|i| 10 * (i % 6)).collect() };
            let run = |n| prepare.training(ramp.clone(), 1, key().with(n)).bytes;
            (0..40).map(run).map(|bytes| bytes[1] > bytes[4]).collect()
        };
        let nothing = flips(Augment::HorizontalFlip(HorizontalFlip { p: 0.0 }));
        let crop = flips(Augment::RandomResizedCrop(RandomResizedCrop { scale: [0.8, 1.0], ratio: [1.4, 1.6] }));
        assert_eq!(nothing, crop);
        assert!(nothing.contains(&true) && nothing.contains(&false));
    }
}
