//! The beginning of an image's way to the net, as far as it is the same each time.

use super::{Augment, Context, ImageAugment, Pixels, fit};
use crate::random::{Key, Purpose};
use crate::spec::{Fit, Image};

/// The beginning of an image's way to the net, as far as nothing in it is drawn at random: what comes out may be
/// kept and used again. Where nothing random comes before the image has its size, it has it here.
#[derive(Debug, Clone, PartialEq)]
pub struct Lead {
    entries: Vec<Augment>,
    size: [usize; 2],
    fit: Option<Fit>,
}

impl Lead {
    /// The lead of the way that `augments` are on.
    pub fn new(image: &Image, augments: &[Augment]) -> Self {
        let sizing = sizing(augments);
        let fixed = augments.iter().take_while(|entry| entry.is_fixed()).count();
        let fits = fixed >= sizing;
        let entries = augments.iter().take(if fits { sizing } else { fixed }).cloned().collect();
        Lead { entries, size: image.size.0, fit: fits.then_some(image.fit) }
    }

    /// How many entries are in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no entry is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// (height, width) of what comes out, where that does not depend on what goes in.
    pub fn size(&self) -> Option<[usize; 2]> {
        self.fit.map(|_| self.size)
    }

    /// The image after this part of its way.
    pub fn apply(&self, mut image: Pixels) -> Pixels {
        // They draw nothing, and are the same in each epoch.
        let (context, mut unused) = (Context { target: self.size, epoch: 0 }, Key::new(0, Purpose::Augment).stream());
        for entry in &self.entries {
            image = entry.apply(image, context, &mut unused);
        }
        match self.fit {
            Some(how) => fit(image, self.size, how),
            None => image,
        }
    }
}

/// How many entries there are up to the last that decides on the size.
pub fn sizing(augments: &[Augment]) -> usize {
    augments.iter().rposition(ImageAugment::sizes).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::super::testing::waves;
    use super::super::{CenterCrop, HorizontalFlip, RandomResizedCrop, Resize};
    use super::*;
    use crate::spec::Normalize;
    use crate::spec::data::Channels;
    use crate::spec::size::Size;

    fn lead(augments: &[Augment]) -> Lead {
        let image =
            Image { size: Size([4, 6]), channels: Channels::Rgb, normalize: Normalize::Unit, fit: Fit::Stretch };
        Lead::new(&image, augments)
    }

    #[test]
    fn it_ends_before_the_first_entry_that_draws() {
        let resize = || Augment::Resize(Resize { shorter: Some(8), longer: None });
        let centre = || Augment::CenterCrop(CenterCrop::default());
        let crop = || Augment::RandomResizedCrop(RandomResizedCrop { scale: [0.5, 1.0], ratio: [1.0, 1.0] });
        let flip = || Augment::HorizontalFlip(HorizontalFlip { p: 0.5 });
        let found = |augments: &[Augment]| {
            let lead = lead(augments);
            (lead.len(), lead.size(), lead.apply(waves(16, 20, 3)).size())
        };
        assert_eq!(found(&[]), (0, Some([4, 6]), [4, 6]));
        assert_eq!(found(&[flip()]), (0, Some([4, 6]), [4, 6]));
        assert_eq!(found(&[resize(), centre(), flip()]), (2, Some([4, 6]), [4, 6]));
        assert_eq!(found(&[resize(), crop(), flip()]), (1, None, [8, 10]));
        assert_eq!(found(&[crop(), flip()]), (0, None, [16, 20]));
        assert_eq!(found(&[flip(), resize()]), (0, None, [16, 20]));
    }
}
