//! What pretrained weights want done to the images.

/// How byte values become a net's inputs: `(value / 255 - mean) / std`, per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Mean of each channel, in [0, 1].
    pub mean: [f32; 3],
    /// Standard deviation of each channel, in [0, 1].
    pub std: [f32; 3],
}

/// The statistics of ImageNet: torchvision's preprocessing.
pub(super) const IMAGENET: Preprocessing = Preprocessing { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/// `(value / 255 - 0.5) / 0.5`. torchvision normalizes by [`IMAGENET`], and its Inception then
/// undoes that (`transform_input`): this is what remains.
pub(super) const INCEPTION: Preprocessing = Preprocessing { mean: [0.5; 3], std: [0.5; 3] };

/// `(value - 127) / 128`: TensorFlow's preprocessing for EfficientNet-Lite.
pub(super) const TENSORFLOW_LITE: Preprocessing = Preprocessing { mean: [127.0 / 255.0; 3], std: [128.0 / 255.0; 3] };
