//! Why a run fails.

use super::not_finite::NotFiniteAt;
use crate::data::BadImage;
use crate::engine::{EngineError, Kernels};
use crate::layers::LayerError;
use crate::net::{Net, NodeId};
use crate::ranks::RankFault;
use crate::report::number::bytes;
use crate::weights::WeightsError;
use std::io;
use std::path::Path;

/// A run fails.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The device failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The device has not the memory that a step takes.
    #[error(
        "the GPU has no memory left in phase `{phase}`, for {piece} image{} at once ({error}); it has {}, of which {} \
         are free",
        if *piece == 1 { "" } else { "s" }, bytes(*own), bytes(*free)
    )]
    OutOfMemory {
        /// The phase's name.
        phase: String,
        /// Images of a batch, or of a piece of it, that are computed at once.
        piece: usize,
        /// Bytes of the device.
        own: u64,
        /// Of these, free in the end.
        free: u64,
        /// What of a batch would fit, by the plan's estimate.
        fits: Option<usize>,
        /// The device's words.
        error: EngineError,
    },
    /// The ranks that train together cannot go on.
    #[error(transparent)]
    Ranks(#[from] RankFault),
    /// A layer failed.
    #[error("layer `{node}`: {message}")]
    Layer {
        /// The layer's name in the net.
        node: String,
        /// What it said.
        message: String,
    },
    /// An image that could be read before cannot be read now.
    #[error("an image cannot be read any more: {0}")]
    Image(#[from] BadImage),
    /// A weight file or checkpoint cannot be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A file of the run directory cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// The system's words.
        error: io::Error,
    },
    /// The loss is not a number any more.
    #[error("the loss became {loss} at step {step} (epoch {epoch}, phase `{phase}`), {first}; {gradients}")]
    NotFinite {
        /// The loss: NaN or infinite.
        loss: f32,
        /// The step at which it did.
        step: u64,
        /// The epoch, from 1.
        epoch: usize,
        /// The phase's name.
        phase: String,
        /// The first place in the net that is not finite.
        first: Box<NotFiniteAt>,
        /// Which group had the largest gradient before, for a person.
        gradients: String,
    },
    /// A run directory has checkpoints, and all of them are damaged.
    #[error("no checkpoint of the run is whole:\n  {}", faults.join("\n  "))]
    NoWholeCheckpoint {
        /// What is wrong with each.
        faults: Vec<String>,
    },
    /// A run cannot go on over other images than it began with.
    #[error("the images, their classes or their split are not those that the run began with")]
    OtherData,
    /// A spec that the run had taken up cannot be taken up again.
    #[error("{0}")]
    Spec(String),
    /// A stage of a phase that is not there: an internal error.
    #[error("internal error: the plan has no phase number {place}")]
    NoPhase {
        /// Its place.
        place: usize,
    },
    /// A head cannot be fitted to classes that are not there.
    #[error("the head cannot be fitted: the training split has no image of {classes}")]
    NoImagesOf {
        /// Their names.
        classes: String,
    },
    /// A frozen tensor changed: an internal error.
    #[error(
        "internal error: frozen tensors changed in phase `{phase}` (hash {before} at its start, {after} at its end)"
    )]
    FrozenChanged {
        /// The phase's name.
        phase: String,
        /// The hash at its start.
        before: String,
        /// The hash at its end.
        after: String,
    },
}

impl TrainError {
    /// Puts the layer's name to its error.
    pub fn layer<D: Kernels>(net: &Net<D>, node: NodeId, error: &LayerError) -> Self {
        if let LayerError::Engine(error) = error
            && error.is_out_of_memory()
        {
            return TrainError::Engine(error.clone());
        }
        let node = net.graph.nodes.get(node).map_or_else(|| node.to_string(), |node| node.name.clone());
        TrainError::Layer { node, message: error.to_string() }
    }

    /// Puts the layer's name to the error of a plugin on the way back.
    pub fn back<D: Kernels>(net: &Net<D>, error: EngineError) -> Self {
        match error {
            EngineError::Back { place, error } => TrainError::layer(net, place, &LayerError::Engine(*error)),
            other => TrainError::Engine(other),
        }
    }

    /// Puts the file's name to an error of the system.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |error| TrainError::File { path, error }
    }

    /// What to do about it, where that is known.
    pub fn advice(&self) -> Option<String> {
        if let TrainError::OutOfMemory { fits, .. } = self {
            return Some(fits.map_or_else(
                || "not even one image fits: freeze more, or take smaller images".to_owned(),
                |fits| format!("`data: {{ micro_batch: {fits} }}` would fit, and takes the same steps"),
            ));
        }
        self.known_advice().map(str::to_owned)
    }

    fn known_advice(&self) -> Option<&'static str> {
        match self {
            TrainError::NotFinite { first, .. } if matches!(**first, NotFiniteAt::Plugin { .. }) => Some(
                "watch the plugin with `plugins: { load: [...], guard: true }`, or lower the learning rate; the last good \
                 weights are kept in checkpoints/",
            ),
            TrainError::NotFinite { .. } => Some(
                "lower that group's learning rate, or cut gradients with `regularization: { clip_grad_norm: 1.0 }`; \
                 the last good weights are kept in checkpoints/",
            ),
            _ => None,
        }
    }
}
