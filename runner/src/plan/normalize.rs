//! How byte values become the net's inputs.

use crate::backbones::Arch;
use crate::spec::data::{Channels, Image, Normalize};

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
    /// is no backbone. For grey images the statistics of three channels are averaged; for N channels
    /// they are taken in turn, as the weights of the first convolution are.
    pub fn resolve(image: &Image, arch: Option<Arch>) -> Self {
        let (mean, std) = match &image.normalize {
            Normalize::Backbone => arch.map_or(([0.5; 3], [0.5; 3]), |arch| {
                let wanted = arch.preprocessing();
                (wanted.mean, wanted.std)
            }),
            Normalize::Imagenet => IMAGENET,
            Normalize::Unit => ([0.0; 3], [1.0; 3]),
            Normalize::Custom { mean, std } => return Normalization { mean: mean.clone(), std: std.clone() },
        };
        let per_channel = |values: [f32; 3]| match image.channels {
            Channels::Rgb => values.to_vec(),
            Channels::Gray => vec![values.iter().sum::<f32>() / 3.0],
            Channels::Many(count) => values.iter().copied().cycle().take(count).collect(),
        };
        Normalization { mean: per_channel(mean), std: per_channel(std) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    fn resolve(image: &str, arch: Option<Arch>) -> Normalization {
        Normalization::resolve(&fixture::yaml(&format!("{{ size: 8, {image} }}")), arch)
    }

    #[test]
    fn bytes_go_where_the_weights_want_them() {
        let to = |byte: f32, normalize: Normalization| (byte / 255.0 - normalize.mean[0]) / normalize.std[0];
        let lite = Some(Arch::EfficientnetLite0);
        assert!((to(127.0, resolve("normalize: backbone", lite)) - 0.0).abs() < 1e-6);
        assert!((to(255.0, resolve("normalize: backbone", lite)) - 1.0).abs() < 1e-6);
        assert!((to(0.0, resolve("normalize: backbone", None)) + 1.0).abs() < 1e-6);
        assert!((to(255.0, resolve("normalize: unit", lite)) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn there_is_a_value_for_each_channel() {
        let grey = resolve("normalize: imagenet, channels: gray", None);
        assert_eq!((grey.mean.len(), grey.std.len()), (1, 1));
        assert!((grey.mean[0] - 0.449).abs() < 1e-3);
        let five = resolve("normalize: imagenet, channels: 5", None);
        assert_eq!(five.mean, [0.485, 0.456, 0.406, 0.485, 0.456]);
        let custom = resolve("normalize: { custom: { mean: [0.1, 0.2, 0.3], std: [1, 2, 3] } }", None);
        assert_eq!(custom, Normalization { mean: vec![0.1, 0.2, 0.3], std: vec![1.0, 2.0, 3.0] });
    }
}
