//! How exactly a GPU multiplies matrices.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU8, Ordering};

/// How exactly a GPU takes products of matrices, and so convolutions and linear maps. It is a setting of the process.
/// All else is computed in 32 bits, and so is everything on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ProductPrecision")]
pub enum Precision {
    /// In 32 bits.
    #[default]
    F32,
    /// Factors are rounded to 10 bits after the point, sums are in 32 bits: several times as fast, with errors of about
    /// a thousandth. Needs a card of NVIDIA's Ampere generation or later.
    Tf32,
}

/// The choice of the process, as its place in [`ALL`].
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// All choices.
const ALL: [Precision; 2] = [Precision::F32, Precision::Tf32];

impl Precision {
    /// Makes this the choice of the process.
    pub fn set(self) {
        CHOSEN.store(self as u8, Ordering::Relaxed);
    }

    /// The choice of the process.
    pub fn chosen() -> Self {
        ALL.get(usize::from(CHOSEN.load(Ordering::Relaxed))).copied().unwrap_or_default()
    }
}
