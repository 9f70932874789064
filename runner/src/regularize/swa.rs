//! `swa`.

use crate::spec::check::range;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stochastic weight averaging: the mean of the weights at the ends of epochs (Izmailov et al. 2018; as
/// `torch.optim.swa_utils`). It wants a learning rate that is still high, constant or cyclic, in the
/// epochs that are averaged.
///
/// When the run ends, the running statistics of batch norm are taken anew in one pass over the training
/// images (augmented as in an epoch of their own), and the average is held against the best weights: the
/// better ones by the watched metric are the best checkpoint. What is frozen in a phase is in the average
/// as it is in the net; statistics that are frozen in the last phase stay.
///
/// `swa: { from_epoch: 8 }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Swa {
    /// The first epoch whose weights are in the average, counted from 1 over all phases.
    #[schemars(range(min = 1))]
    pub from_epoch: usize,
    /// Every so many epochs from there.
    #[serde(default = "Swa::default_every")]
    #[schemars(range(min = 1))]
    pub every: usize,
}

impl Swa {
    fn default_every() -> usize {
        1
    }

    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        range(problems, at.key("from_epoch"), &self.from_epoch, 1.., "an epoch");
        range(problems, at.key("every"), &self.every, 1.., "the number of epochs");
    }

    /// Whether the weights at the end of this epoch, counted from 1, are in the average.
    pub fn takes(&self, epoch: usize) -> bool {
        epoch >= self.from_epoch && (epoch - self.from_epoch).is_multiple_of(self.every.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_so_many_epochs_from_the_first() {
        let swa: Swa = serde_yaml::from_str("{ from_epoch: 3, every: 2 }").unwrap();
        let taken: Vec<usize> = (1..=8).filter(|&epoch| swa.takes(epoch)).collect();
        assert_eq!(taken, [3, 5, 7]);
        let swa: Swa = serde_yaml::from_str("{ from_epoch: 2 }").unwrap();
        assert_eq!((1..=4).filter(|&epoch| swa.takes(epoch)).collect::<Vec<_>>(), [2, 3, 4]);
    }
}
