//! Lists of layers, as YAML has them, put into a graph.

use super::builder::{BuildError, Builder};
use super::graph::Source;
use crate::layers::AnyLayer;

/// A layer of a list does not fit where it was put.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct SequentialError {
    /// The layer's place in its list, from 0.
    pub index: usize,
    /// Which place of its `with` is meant, where one is.
    pub with: Option<usize>,
    /// What does not fit.
    pub error: BuildError,
}

/// Adds `layers:`: a stage `layers.N` for each entry, with one node of that name; gives the output.
pub fn layers(builder: &mut Builder, list: &[AnyLayer], input: Source) -> Result<Source, SequentialError> {
    chain(builder, list, input, "layers", true)
}

/// Adds a list as [`layers`] does, under another name.
pub fn named(builder: &mut Builder, name: &str, list: &[AnyLayer], input: Source) -> Result<Source, SequentialError> {
    chain(builder, list, input, name, true)
}

/// Adds `head:`: one stage `head` with the nodes `head.N`; gives the output.
pub fn head(builder: &mut Builder, list: &[AnyLayer], input: Source) -> Result<Source, SequentialError> {
    builder.stage("head");
    chain(builder, list, input, "head", false)
}

/// Adds each layer over the one above it, and over those that its `with` names.
fn chain(
    builder: &mut Builder,
    list: &[AnyLayer],
    input: Source,
    prefix: &str,
    stage_each: bool,
) -> Result<Source, SequentialError> {
    let mut outputs: Vec<Source> = Vec::with_capacity(list.len());
    for (index, layer) in list.iter().enumerate() {
        let name = format!("{prefix}.{index}");
        let above = outputs.last().copied().unwrap_or(input);
        let mut inputs = vec![above];
        for (at, &place) in layer.places().iter().enumerate() {
            let Some(&source) = outputs.get(place) else {
                let inputs = builder.shape(above).to_string();
                let reason = format!("`{prefix}.{place}` does not come before it");
                let error = BuildError { node: name, layer: layer.name().to_owned(), inputs, reason };
                return Err(SequentialError { index, with: Some(at), error });
            };
            inputs.push(source);
        }
        if stage_each {
            builder.stage(name.clone());
        }
        let output = builder.join(name, layer.clone(), &inputs);
        outputs.push(output.map_err(|error| SequentialError { index, with: None, error })?);
    }
    Ok(outputs.last().copied().unwrap_or(input))
}
