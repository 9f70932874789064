//! Averages of the weights: over steps, or over the ends of epochs.

use super::frozen;
use crate::engine::{Kernels, Result, Tensor};
use crate::net::{Net, ParamId, Params};
use crate::plan::PhasePlan;
use crate::regularize::{Ema, Regularization, Swa};
use crate::weights::WeightFile;
use serde::{Deserialize, Serialize};

/// Whose weights are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// Those that train.
    #[default]
    Raw,
    /// Their moving average over the steps.
    Ema,
    /// Their mean over epochs.
    Swa,
}

impl Whose {
    /// The name, as events have it.
    pub fn name(self) -> &'static str {
        match self {
            Whose::Raw => "raw",
            Whose::Ema => "ema",
            Whose::Swa => "swa",
        }
    }
}

/// How it is averaged.
#[derive(Debug, Clone, PartialEq)]
enum Rule {
    Ema(Ema),
    Swa(Swa),
}

/// What a checkpoint says of an average besides its tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AverageState {
    /// Which average it is.
    pub whose: Whose,
    /// Weights that are in it: steps, or epochs.
    pub taken: u64,
    /// Whether the net went back to earlier weights since: the next phase begins it anew.
    pub went_back: bool,
}

/// The prefix of an average's tensors in a checkpoint.
pub const PREFIX: &str = "average.";

/// An average of a net's weights, running statistics included.
///
/// What is frozen in a phase is in the average as it is in the net, bit by bit: it is taken over when the
/// phase begins and not touched from there. So frozen tensors have one hash in both.
#[derive(Debug)]
pub struct Average<D: Kernels> {
    rule: Rule,
    weights: Vec<Tensor<D>>,
    taken: u64,
    went_back: bool,
}

impl<D: Kernels> Average<D> {
    /// The average that the spec wants, if it does. It begins as the weights of `net`.
    pub fn new(regularization: &Regularization, net: &Net<D>) -> Option<Self> {
        let rule = match (&regularization.ema, &regularization.swa) {
            (Some(ema), _) => Rule::Ema(ema.clone()),
            (None, Some(swa)) => Rule::Swa(swa.clone()),
            (None, None) => return None,
        };
        Some(Average { rule, weights: net.params.tensors().to_vec(), taken: 0, went_back: false })
    }

    /// The average that another spec wants, in a net that goes on: one of the same kind stays, but for its
    /// numbers.
    pub fn follow(before: Option<Self>, regularization: &Regularization, net: &Net<D>) -> Option<Self> {
        let new = Average::new(regularization, net)?;
        match before {
            Some(before) if before.whose() == new.whose() => Some(Average { rule: new.rule, ..before }),
            _ => Some(new),
        }
    }

    /// Goes over to another net: a tensor is that of the one before at `from`, or else the net's.
    pub fn go_over(&mut self, from: &[Option<ParamId>], net: &Net<D>) {
        let weights = from.iter().enumerate();
        let weights = weights.map(|(id, from)| match from.and_then(|from| self.weights.get(from)) {
            Some(tensor) => tensor.clone(),
            None => net.params.get(id).clone(),
        });
        self.weights = weights.collect();
    }

    /// Which average it is.
    pub fn whose(&self) -> Whose {
        match self.rule {
            Rule::Ema(_) => Whose::Ema,
            Rule::Swa(_) => Whose::Swa,
        }
    }

    /// Weights that are in it: steps, or epochs.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Its tensors, in the order of the graph's parameters.
    pub fn tensors(&self) -> &[Tensor<D>] {
        &self.weights
    }

    /// A phase begins: what is frozen in it is taken over. Where the net went back to earlier weights
    /// before, all is.
    pub fn begin(&mut self, phase: &PhasePlan, net: &Net<D>) {
        if std::mem::take(&mut self.went_back) {
            self.taken = 0;
            self.weights = net.params.tensors().to_vec();
        }
        for (param, weights) in self.weights.iter_mut().enumerate().filter(|(param, _)| phase.frozen[*param]) {
            *weights = net.params.get(param).clone();
        }
    }

    /// The net goes back to earlier weights.
    pub fn go_back(&mut self) {
        self.went_back = true;
    }

    /// A step was taken.
    pub fn step(&mut self, phase: &PhasePlan, net: &Net<D>) -> Result<()> {
        match &self.rule {
            Rule::Ema(ema) => {
                let share = 1.0 - ema.decay_after(self.taken);
                self.take(phase, net, share)
            }
            Rule::Swa(_) => Ok(()),
        }
    }

    /// An epoch, counted from 1, was done.
    pub fn epoch(&mut self, phase: &PhasePlan, net: &Net<D>, epoch: usize) -> Result<()> {
        match &self.rule {
            Rule::Swa(swa) if swa.takes(epoch) => {
                let share = 1.0 / (self.taken as f64 + 1.0);
                self.take(phase, net, share)
            }
            _ => Ok(()),
        }
    }

    /// Moves what is not frozen a share of the way to the net's weights.
    fn take(&mut self, phase: &PhasePlan, net: &Net<D>, share: f64) -> Result<()> {
        self.taken += 1;
        for (param, average) in self.weights.iter_mut().enumerate().filter(|(param, _)| !phase.frozen[*param]) {
            let weights = net.params.get(param);
            if share >= 1.0 {
                *average = weights.clone();
            } else {
                average.approach(weights, share)?;
            }
        }
        Ok(())
    }

    /// Puts the average into the net, and the net's weights here; once more puts both back.
    pub fn swap(&mut self, net: &mut Net<D>) {
        let average = std::mem::take(&mut self.weights);
        let weights = std::mem::replace(&mut net.params, Params::new(average));
        self.weights = weights.tensors().to_vec();
    }

    /// The hash of the tensors that are frozen in a phase, as [`frozen::hash`] of the net.
    pub fn frozen_hash(&mut self, phase: &PhasePlan, net: &mut Net<D>) -> Result<String> {
        self.swap(net);
        let hash = frozen::hash(net, &phase.frozen);
        self.swap(net);
        hash
    }

    /// What a checkpoint says of it besides its tensors.
    pub fn state(&self) -> AverageState {
        AverageState { whose: self.whose(), taken: self.taken, went_back: self.went_back }
    }

    /// Goes on from a checkpoint: its tensors have the prefix [`PREFIX`].
    pub fn resume(
        &mut self,
        file: &mut WeightFile,
        state: AverageState,
        net: &Net<D>,
    ) -> std::result::Result<(), super::TrainError> {
        for (param, average) in net.graph.params.iter().zip(&mut self.weights) {
            let values = super::checkpoint::read_prefixed(file, PREFIX, param)?;
            *average = Tensor::from_vec(average.device(), values, &param.def.dims)?;
        }
        (self.taken, self.went_back) = (state.taken, state.went_back);
        Ok(())
    }
}
