//! `max_norm`.

use crate::spec::check::{POSITIVE, finite};
use crate::spec::{Path, Problem, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Max-norm: after each step the weights into one output (a column of a linear map, a kernel of a
/// convolution) are scaled down to this Euclidean norm, if theirs is greater (Srebro and Shraibman
/// 2005; Srivastava et al. 2014, with dropout). As Keras's `MaxNorm` over all axes but the last; weights
/// that are within the bound are not touched.
///
/// `max_norm: { bound: 3, only: [head] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxNorm {
    /// The greatest norm, above 0.
    pub bound: f64,
    /// Parts of the net, named as in a phase's `train`; by default all. Only weights that train are
    /// scaled, so that a frozen backbone stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
}

impl MaxNorm {
    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        finite(problems, at.key("bound"), self.bound, POSITIVE, "the greatest norm");
        if self.only.as_ref().is_some_and(Vec::is_empty) {
            let problem = Problem::new(at.key("only"), "no part of the net is named");
            problems.push(problem.help("`[head]` for the head; leave `only` out for all of the net"));
        }
    }
}
