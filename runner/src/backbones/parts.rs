//! What several families are made of.

use crate::layers::{AnyLayer, Conv2d};
use crate::net::{BuildError, Builder, graph::Source};
use crate::spec::size::Size;

/// The place of what was built, or why it does not fit.
pub(super) type Built = Result<Source, BuildError>;

/// A convolution that a batch norm follows: without bias.
pub(super) fn conv(out: usize, kernel: impl Into<Size>) -> Conv2d {
    Conv2d::new(out, kernel).without_bias()
}

/// Layers one after the other over the image, each a stage of its own: `features.0`, `features.1`.
pub(super) fn numbered(net: &mut Builder, name: &str, layers: Vec<AnyLayer>) -> Built {
    let mut x = Source::Image;
    for (i, layer) in layers.into_iter().enumerate() {
        let name = format!("{name}.{i}");
        net.stage(name.clone());
        x = net.add(name, layer, x)?;
    }
    Ok(x)
}
