//! One forward pass over one batch.

use crate::engine::{Activation, Kernels, Tape, Tensor};
use crate::random::{Key, Stream};
use crate::ranks::Ranks;

/// What batch norm does in one node. Decided by the plan for each group and phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NormMode {
    /// Running statistics are used and nothing is updated.
    Inference,
    /// The batch's statistics are used, and the running ones are updated.
    Batch,
    /// The batch's statistics are used, and the running ones become the mean over it and this many
    /// batches before it. No phase says so: it is how statistics are taken anew for averaged weights.
    Mean(u32),
}

/// What the layers share while one batch goes forward.
pub struct Pass<'a, D: Kernels> {
    /// Where the operations are recorded.
    pub tape: &'a mut Tape<D>,
    /// Whether random layers act.
    pub training: bool,
    /// What batch norm does in the node that runs now.
    pub norm: NormMode,
    /// The key of (seed, epoch) for random layers.
    pub key: Key,
    /// Identifies each sample of the batch; as many as the batch has rows.
    pub samples: &'a [u64],
    /// The ranks that share the rows of the batch, where they do.
    pub joined: Option<&'a Ranks>,
    /// What the layer applies to its output if it [fuses](super::Layer::fuses_activation).
    pub activation: Option<Activation>,
    /// The number of the node that runs now: part of its random key.
    pub node: u64,
    /// New values of the node's buffers, by place among its parameters; stored after the step.
    pub updates: Vec<(usize, Tensor<D>)>,
}

/// What dropout multiplies a value by: 0 with a probability, else by what keeps the mean.
pub fn kept_or_dropped(probability: f64) -> impl Fn(&mut Stream) -> f32 {
    let (drop, keep) = (probability as f32, (1.0 / (1.0 - probability)) as f32);
    move |random| if random.chance(drop) { 0.0 } else { keep }
}

impl<D: Kernels> Pass<'_, D> {
    /// The random numbers of the node that runs now, for one row of the batch.
    pub fn random(&self, row: usize) -> Stream {
        self.random_key(row).stream()
    }

    /// So many values for each of some rows, each row from its own random numbers.
    pub fn draw(&self, rows: usize, values: usize, value: impl Fn(&mut Stream) -> f32) -> Vec<f32> {
        let mut drawn = Vec::with_capacity(rows * values);
        for row in 0..rows {
            let mut random = self.random(row);
            drawn.extend((0..values).map(|_| value(&mut random)));
        }
        drawn
    }

    /// The key of those numbers.
    pub fn random_key(&self, row: usize) -> Key {
        let sample = self.samples.get(row).copied().unwrap_or(row as u64);
        self.key.with(sample).with(self.node)
    }
}
