//! `l1`: every weight is pulled to 0 by the same force, however small it is, so that weights that
//! help little become 0 (the lasso; Tibshirani 1996). The slope of `l1 * sum |w|`, added to the
//! gradient. As Keras's `L1`.

use crate::spec::check::{NOT_NEGATIVE, finite};
use crate::spec::{Path, Problems};

/// Notes a problem at `at` unless `factor` can be a penalty's factor.
pub fn check(factor: f64, at: &Path, problems: &mut Problems) {
    finite(problems, at.clone(), factor, NOT_NEGATIVE, "the factor of a penalty");
}
