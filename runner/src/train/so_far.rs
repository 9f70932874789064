//! What has come of the phase that goes on: when it ends, and its best weights.

use super::state::PhaseState;
use crate::engine::{Kernels, Tensor};
use crate::plan::PhasePlan;
use crate::regularize::{EarlyStopping, History, Measured, Metric, Verdict};

/// Weights that were the best at some epoch.
pub struct Best<D: Kernels> {
    /// The epoch.
    pub epoch: usize,
    /// All parameters and buffers.
    pub weights: Vec<Tensor<D>>,
}

/// What has come of the phase that goes on.
pub struct SoFar<D: Kernels> {
    /// All but tensors.
    pub state: PhaseState,
    best: Option<Best<D>>,
}

impl<D: Kernels> SoFar<D> {
    /// A phase whose first epoch has this number.
    pub fn begin(first: usize) -> Self {
        SoFar { state: PhaseState { first, ..PhaseState::default() }, best: None }
    }

    /// A phase that goes on; `best` are its best weights so far, where it keeps them.
    pub fn resume(state: PhaseState, best: Option<Vec<Tensor<D>>>) -> Self {
        let best = state.best.zip(best).map(|(epoch, weights)| Best { epoch, weights });
        SoFar { state, best }
    }

    /// The metrics of its epochs.
    pub fn history(&self) -> &History {
        &self.state.history
    }

    /// Takes the metrics of an epoch. `weights` are kept if the phase restores its best and these are,
    /// by the metric of its end, or else by `metric`; says whether they are.
    pub fn see(
        &mut self,
        phase: &PhasePlan,
        metric: Metric,
        epoch: usize,
        measured: Measured,
        weights: &[Tensor<D>],
    ) -> bool {
        self.state.history.push(measured);
        if !phase.restore_best {
            return false;
        }
        let metric = phase.until.as_ref().and_then(super::super::spec::until::Until::metric).unwrap_or(metric);
        let rule = EarlyStopping { metric, patience: usize::MAX, min_delta: 0.0, restore_best: true };
        let improved = matches!(self.state.watch.see(&rule, epoch, measured.get(metric)), Verdict::Improved { .. });
        if improved {
            self.state.best = Some(epoch);
            self.best = Some(Best { epoch, weights: weights.to_vec() });
        }
        improved
    }

    /// Why the phase ends by a metric after the epochs so far, if it does.
    pub fn ends_by_metric(&self, phase: &PhasePlan) -> Option<String> {
        phase.until.as_ref()?.reached(&self.state.history, self.state.first)
    }

    /// The words for it when the phase's epochs are done.
    pub fn epochs_are_done(&self, phase: &PhasePlan) -> Option<String> {
        if self.state.history.len() < phase.epochs {
            return None;
        }
        let done = if phase.epochs == 1 {
            "its epoch is done".to_owned()
        } else {
            format!("its {} epochs are done", phase.epochs)
        };
        let no_metric = if phase.until.is_some() { ", and no metric ended it before" } else { "" };
        Some(done + no_metric)
    }

    /// The best weights so far, where the phase keeps them.
    pub fn best(&self) -> Option<&Best<D>> {
        self.best.as_ref()
    }

    /// The best weights, if they are not those of the epoch just done.
    pub fn better_than(&mut self, epoch: usize) -> Option<Best<D>> {
        self.best.take().filter(|best| best.epoch != epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Cpu;
    use crate::plan::fixture;
    use crate::spec::Problems;

    fn phase(settings: &str) -> PhasePlan {
        let yaml = format!("phases: [{{ name: a, train: [head], lr: 1, {settings} }}]");
        let mut problems = Problems::default();
        let phase =
            PhasePlan::resolve(&fixture::drafts(&fixture::yaml(&yaml))[0], &fixture::net(&["head"]), &mut problems);
        problems.or(phase).unwrap()
    }

    /// A phase after epochs with these losses, begun at epoch 5; the weights are the losses.
    fn after(phase: &PhasePlan, losses: &[f64]) -> SoFar<Cpu> {
        let mut so_far = SoFar::begin(5);
        for (epoch, &loss) in (5..).zip(losses) {
            let measured = Measured { val_loss: Some(loss), ..Measured::default() };
            let weights = Tensor::from_vec(&Cpu::default(), vec![loss as f32], &[1]).unwrap();
            so_far.see(phase, Metric::ValLoss, epoch, measured, &[weights]);
        }
        so_far
    }

    #[test]
    fn whichever_comes_first_ends_it_and_says_why() {
        let phase = phase("max_epochs: 3, until: { plateau: { patience: 2 } }");
        let stalled = after(&phase, &[1.0, 1.0, 1.0]);
        let why = "val_loss has not improved on 1.0000 (epoch 5) for 2 epochs";
        assert_eq!(stalled.ends_by_metric(&phase).as_deref(), Some(why));
        let improving = after(&phase, &[1.0, 0.9, 0.8]);
        assert_eq!(improving.ends_by_metric(&phase), None);
        let why = "its 3 epochs are done, and no metric ended it before";
        assert_eq!(improving.epochs_are_done(&phase).as_deref(), Some(why));
        assert_eq!(after(&phase, &[1.0, 0.9]).epochs_are_done(&phase), None);
    }

    #[test]
    fn the_best_weights_are_those_of_the_best_epoch_of_this_phase() {
        let phase = phase("epochs: 4, restore_best: true");
        let best = after(&phase, &[1.0, 0.5, 0.7]).better_than(7).unwrap();
        assert_eq!((best.epoch, best.weights[0].to_vec()), (6, vec![0.5]));
        assert!(after(&phase, &[1.0, 0.5]).better_than(6).is_none(), "the last are the best");
        assert!(after(&self::phase("epochs: 4"), &[0.5, 1.0]).better_than(6).is_none(), "nobody asked");
    }
}
