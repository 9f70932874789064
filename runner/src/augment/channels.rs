//! Which augmentations go with images that are neither grey nor RGB.

use super::{Augment, Augmentation, Epochs, OneOf, Sometimes};
use crate::spec::{Channels, Path, Problem, Problems};

/// Notes every entry that is made for colours where the net's images have other channels. `at` is
/// where the augmentation stands in the spec.
pub fn check(augmentation: &Augmentation, channels: Channels, at: &Path, problems: &mut Problems) {
    if let Channels::Many(count) = channels {
        all(&augmentation.train, count, &at.key("train"), problems);
        if let Some(test) = &augmentation.test {
            all(&test.entries, count, &at.key("test").key("do"), problems);
        }
    }
}

fn all(entries: &[Augment], channels: usize, at: &Path, problems: &mut Problems) {
    for (place, entry) in entries.iter().enumerate() {
        let at = at.index(place);
        match entry {
            Augment::OneOf(OneOf { entries }) => all(entries, channels, &at.key(entry.name()), problems),
            Augment::Sometimes(Sometimes { entries, .. }) | Augment::Epochs(Epochs { entries, .. }) => {
                all(entries, channels, &at.key(entry.name()).key("do"), problems);
            }
            _ if is_of_colours(entry) => {
                let message =
                    format!("`{}` is made for grey and RGB images, not for {channels} channels", entry.name());
                let help = "these go channel by channel: `brightness`, `gamma`, `invert`, `gaussian_noise`, \
                            `gaussian_blur`, and all that moves pixels";
                problems.push(Problem::new(at, message).help(help));
            }
            _ => {}
        }
    }
}

/// Whether an entry looks at luminance, hue or stains, or may draw one that does.
fn is_of_colours(entry: &Augment) -> bool {
    matches!(
        entry,
        Augment::ColorJitter(_)
            | Augment::Contrast(_)
            | Augment::HueSaturation(_)
            | Augment::Grayscale(_)
            | Augment::Clahe(_)
            | Augment::StainJitter(_)
            | Augment::RandAugment(_)
            | Augment::TrivialAugment(_)
            | Augment::Augmix(_)
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::stream;
    use super::super::{ImageAugment, Pixels};
    use super::*;

    /// One of each entry, with arguments where some are needed.
    const ALL: &str = "[resize: { shorter: 6 }, center_crop, random_resized_crop, random_crop: { padding: 1 }, \
        horizontal_flip: 1, vertical_flip: 1, rotate: { degrees: 20 }, rotate90, affine: { degrees: 5 }, \
        perspective: { distortion: 0.3 }, elastic: { alpha: 50, sigma: 5 }, brightness: 0.2, gamma: [0.7, 1.4], \
        invert: 1, posterize: { bits: [3, 6] }, solarize: { threshold: [128, 256] }, equalize: 1, \
        gaussian_blur: { sigma: [0.1, 2] }, gaussian_noise: { sigma: [0, 0.05] }, sharpen: { factor: [1, 3] }, \
        cutout: { size: 0.5, fill: mean }, cutout: { size: 0.5, fill: noise }, random_erasing: { p: 1 }]";

    fn read(yaml: &str) -> Vec<Augment> {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn what_is_made_for_colours_is_refused_at_its_place() {
        let train = read(
            "[horizontal_flip: 0.5, hue_saturation, one_of: [invert: 1, grayscale: 0.5], \
             sometimes: { p: 0.5, do: [stain_jitter] }]",
        );
        let augmentation = Augmentation { train, ..Augmentation::default() };
        let mut problems = Problems::default();
        check(&augmentation, Channels::Many(4), &Path::of("augmentation"), &mut problems);
        let paths: Vec<String> = problems.0.iter().map(|problem| problem.path.to_string()).collect();
        assert_eq!(
            paths,
            ["augmentation.train.1", "augmentation.train.2.one_of.1", "augmentation.train.3.sometimes.do.0"]
        );
        assert_eq!(problems.0[1].message, "`grayscale` is made for grey and RGB images, not for 4 channels");
        let mut none = Problems::default();
        check(&augmentation, Channels::Gray, &Path::of("augmentation"), &mut none);
        assert_eq!(none, Problems::default());
    }

    #[test]
    fn all_others_take_any_number_of_channels() {
        for channels in [2, 4, 7] {
            let bytes = (0..9 * 8 * channels).map(|i| (i * 37 % 251) as u8).collect();
            let image = Pixels { height: 9, width: 8, channels, bytes };
            for entry in read(ALL) {
                assert!(!is_of_colours(&entry));
                let out = entry.apply(image.clone(), [6, 5].into(), &mut stream(3));
                assert_eq!(out.channels, channels, "{}", entry.name());
                assert_eq!(out.bytes.len(), out.height * out.width * channels, "{}", entry.name());
            }
        }
    }
}
