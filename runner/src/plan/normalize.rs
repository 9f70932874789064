//! How byte values become the net's inputs.

use crate::backbones::Arch;
use crate::spec::data::{Channels, Image, Normalize};
use crate::spec::{Path, Problem, Problems};

/// ImageNet's statistics, as torchvision has them.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

/// How byte values become the net's inputs: `(value / 255 - mean) / std`, per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    /// Mean of each channel, in [0, 1].
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in [0, 1].
    pub std: Vec<f32>,
}

impl Normalization {
    /// Resolves `data.image.normalize`: as the backbone's weights want it, or to [-1, 1] where there
    /// is no backbone. For grey images the statistics of three channels are averaged.
    pub fn resolve(image: &Image, arch: Option<Arch>, problems: &mut Problems) -> Self {
        let (mean, std) = match &image.normalize {
            Normalize::Backbone => arch.map_or(([0.5; 3], [0.5; 3]), |arch| {
                let wanted = arch.preprocessing();
                (wanted.mean, wanted.std)
            }),
            Normalize::Imagenet => IMAGENET,
            Normalize::Unit => ([0.0; 3], [1.0; 3]),
            Normalize::Custom { mean, std } => {
                check(mean, std, image.channels, problems);
                return Normalization { mean: mean.clone(), std: std.clone() };
            }
        };
        let per_channel = |values: [f32; 3]| match image.channels {
            Channels::Rgb => values.to_vec(),
            Channels::Gray => vec![values.iter().sum::<f32>() / 3.0],
        };
        Normalization { mean: per_channel(mean), std: per_channel(std) }
    }
}

fn check(mean: &[f32], std: &[f32], channels: Channels, problems: &mut Problems) {
    let at = Path::of("data.image.normalize.custom");
    for (key, values) in [("mean", mean), ("std", std)] {
        let (given, wanted) = (values.len(), channels.count());
        if given != wanted {
            let message = format!("`{key}` has {given} value{} for {wanted} channel{}", s(given), s(wanted));
            problems.push(Problem::new(at.key(key), message));
        }
        for (place, value) in values.iter().enumerate() {
            if !value.is_finite() || (key == "std" && *value <= 0.0) {
                let message = format!("{value} is no {}", if key == "std" { "standard deviation" } else { "mean" });
                problems.push(Problem::new(at.key(key).index(place), message));
            }
        }
    }
}

fn s(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    fn resolve(image: &str, arch: Option<Arch>) -> (Normalization, Vec<String>) {
        let mut problems = Problems::default();
        let image = fixture::yaml(&format!("{{ size: 8, {image} }}"));
        let normalize = Normalization::resolve(&image, arch, &mut problems);
        (normalize, problems.0.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect())
    }

    #[test]
    fn bytes_go_where_the_weights_want_them() {
        let to = |byte: f32, (normalize, problems): (Normalization, Vec<String>)| {
            assert_eq!(problems, [""; 0]);
            (byte / 255.0 - normalize.mean[0]) / normalize.std[0]
        };
        let lite = Some(Arch::EfficientnetLite0);
        assert!((to(127.0, resolve("normalize: backbone", lite)) - 0.0).abs() < 1e-6);
        assert!((to(255.0, resolve("normalize: backbone", lite)) - 1.0).abs() < 1e-6);
        assert!((to(0.0, resolve("normalize: backbone", None)) + 1.0).abs() < 1e-6);
        assert!((to(255.0, resolve("normalize: unit", lite)) - 1.0).abs() < 1e-6);
        let (grey, _) = resolve("normalize: imagenet, channels: gray", None);
        assert_eq!((grey.mean.len(), grey.std.len()), (1, 1));
        assert!((grey.mean[0] - 0.449).abs() < 1e-3);
    }

    #[test]
    fn custom_values_must_fit_the_channels() {
        let (normalize, problems) = resolve("normalize: { custom: { mean: [0.1, 0.2, 0.3], std: [1, 1, 1] } }", None);
        assert_eq!((normalize.mean[2], problems.len()), (0.3, 0));
        let (_, problems) = resolve("normalize: { custom: { mean: [0.1], std: [1, 0] } }", None);
        assert_eq!(
            problems,
            [
                "data.image.normalize.custom.mean: `mean` has 1 value for 3 channels",
                "data.image.normalize.custom.std: `std` has 2 values for 3 channels",
                "data.image.normalize.custom.std.1: 0 is no standard deviation",
            ]
        );
    }
}
