//! `l2_sp`.

use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// L2-SP: pretrained weights are pulled back to where they started, new ones to 0 (Li et al. 2018,
/// "Explicit inductive bias for transfer learning with convolutional networks").
///
/// `alpha * (w - start)` is added to the gradient of weights that the weight file gave (without one:
/// of all weights of the backbone), `beta * w` to that of the others: the head, layers put into the
/// backbone. The start is the weights with which the run begins, not those of a phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct L2Sp {
    /// The pull of pretrained weights to their start, from 0.
    pub alpha: f64,
    /// The pull of new weights to 0, from 0.
    #[serde(default = "L2Sp::default_beta")]
    pub beta: f64,
}

impl L2Sp {
    fn default_beta() -> f64 {
        0.01
    }

    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        for (key, factor) in [("alpha", self.alpha), ("beta", self.beta)] {
            super::l1::check(factor, &at.key(key), problems);
        }
    }
}
