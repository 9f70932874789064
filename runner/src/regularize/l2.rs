//! `l2`: every weight is pulled to 0 in proportion to itself (ridge regression; Hoerl and Kennard
//! 1970). `l2 * w` is added to the gradient, as torch's `weight_decay` of `SGD` and `Adam` does: the
//! slope of `l2 / 2 * sum w^2`. With `AdamW` that is not the optimizer's own decay, which goes by the
//! learning rate alone and not through the moments (Loshchilov and Hutter 2019).

use crate::spec::{Path, Problems};

/// Notes a problem at `at` unless `factor` can be a penalty's factor.
pub fn check(factor: f64, at: &Path, problems: &mut Problems) {
    super::l1::check(factor, at, problems);
}
