//! Which tensors of a file are held against the net, and under which names.

use crate::net::Graph;
use crate::spec::Adapt;
use std::borrow::Cow;

/// What precedes the names of an autoencoder's encoder.
pub const ENCODER: &str = "encoder.";

/// The tensors that optimizers keep beside the weights, in checkpoints.
const OPTIMIZER: &str = "optimizer.";

/// Which tensors of a file are held against the net, and under which names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Take {
    /// Only those whose names begin so; it is cut off.
    pub prefix: Option<String>,
    /// What is put before the names instead.
    pub onto: &'static str,
    /// What is cut off where it is there: the net is an encoder alone, the file's names say so.
    pub within: &'static str,
    /// What becomes of the first convolution where the number of channels differs; `None` leaves it
    /// of another shape.
    pub adapt: Option<Adapt>,
    /// Whether it is a checkpoint of a run, which has more than weights.
    pub checkpoint: bool,
}

impl Take {
    /// The name under which a tensor is held against the net; `None` where it is not taken.
    pub(super) fn name<'a>(&self, name: &'a str) -> Option<Cow<'a, str>> {
        if self.checkpoint && name.starts_with(OPTIMIZER) {
            return None;
        }
        let rest = name.strip_prefix(self.prefix.as_deref().unwrap_or(""))?;
        let rest = rest.strip_prefix(self.within).unwrap_or(rest);
        let as_it_is = self.prefix.is_none() || self.onto.is_empty();
        Some(if as_it_is { Cow::Borrowed(rest) } else { Cow::Owned(format!("{}{rest}", self.onto)) })
    }
}

/// The net of an autoencoder as weight files see one: the encoder is the backbone, under the names
/// that files have, and the decoder, which they lack, is a head.
pub fn as_backbone(graph: &Graph, head: &str) -> Graph {
    let mut graph = graph.clone();
    let plain = |name: &mut String| {
        if let Some(rest) = name.strip_prefix(ENCODER) {
            *name = rest.to_owned();
        }
    };
    graph.nodes.iter_mut().for_each(|node| plain(&mut node.name));
    graph.params.iter_mut().for_each(|param| plain(&mut param.name));
    for stage in &mut graph.stages {
        if stage.name.starts_with(ENCODER) {
            plain(&mut stage.name);
        } else {
            head.clone_into(&mut stage.name);
        }
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(take: &Take, name: &str) -> Option<String> {
        take.name(name).map(Cow::into_owned)
    }

    #[test]
    fn the_begin_of_a_name_is_cut_off_and_others_are_not_taken() {
        let take = Take { prefix: Some("encoder.".into()), ..Take::default() };
        assert_eq!(name(&take, "encoder.conv1.weight").as_deref(), Some("conv1.weight"));
        assert_eq!(name(&take, "decoder.0.weight"), None);
        let layers = Take { onto: "layers.", ..take };
        assert_eq!(name(&layers, "encoder.0.weight").as_deref(), Some("layers.0.weight"));
        let all = Take { onto: "layers.", checkpoint: true, ..Take::default() };
        assert_eq!(name(&all, "layers.0.weight").as_deref(), Some("layers.0.weight"));
        assert_eq!(name(&all, "optimizer.0.layers.0.weight"), None);
        assert_eq!(name(&Take { checkpoint: false, ..all }, "optimizer.0.x").as_deref(), Some("optimizer.0.x"));
    }

    #[test]
    fn an_encoder_of_its_own_is_seen_through() {
        let take = Take { within: ENCODER, ..Take::default() };
        assert_eq!(name(&take, "encoder.conv1.weight").as_deref(), Some("conv1.weight"));
        assert_eq!(name(&take, "conv1.weight").as_deref(), Some("conv1.weight"));
        assert_eq!(name(&take, "decoder.0.weight").as_deref(), Some("decoder.0.weight"));
    }
}
