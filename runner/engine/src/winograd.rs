//! Which convolutions by 3x3 windows save multiplications.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU8, Ordering};

/// How the fast kernels of the CPU compute convolutions by 3x3 windows with stride 1, where it pays: by
/// Winograd's minimal filtering (Lavin and Gray 2016). It is a setting of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Winograd {
    /// Tap by tap.
    Off,
    /// F(2x2, 3x3): 2.25 times fewer multiplications. Errors are about as large as without.
    #[default]
    F2,
    /// F(4x4, 3x3): 4 times fewer. Errors are some ten times larger.
    F4,
}

/// The choice of the process, as its place in [`ALL`].
static CHOSEN: AtomicU8 = AtomicU8::new(1);

/// All choices.
const ALL: [Winograd; 3] = [Winograd::Off, Winograd::F2, Winograd::F4];

impl Winograd {
    /// Makes this the choice of the process. The numbers of passes before and after differ in their last
    /// bits.
    pub fn set(self) {
        CHOSEN.store(self as u8, Ordering::Relaxed);
    }

    /// The choice of the process.
    pub fn chosen() -> Self {
        ALL.get(usize::from(CHOSEN.load(Ordering::Relaxed))).copied().unwrap_or_default()
    }
}
