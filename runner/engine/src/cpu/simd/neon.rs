//! NEON: 4 numbers a vector, 32 vectors.

use super::tile::{Tiles, tile, tiles};
use super::{Simd, Terms};
use std::arch::aarch64::{float32x4_t, vaddq_f32, vdupq_n_f32, vfmaq_f32, vld1q_f32, vst1q_f32, vsubq_f32};

/// See the module.
#[derive(Clone, Copy)]
pub struct Neon(());

impl Neon {
    /// The set, if the processor has it.
    pub fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Neon(()))
    }

    /// Up to 24 sums stay in registers.
    #[allow(clippy::unused_self)] // It proves that the processor has the set.
    pub fn tiles(self) -> &'static Tiles {
        static TILES: Tiles = tiles!(tile_of, Neon::LANES, best 4, 1: [1 2 3 4 5 6], 2: [1 2 3 4 5 6], 3: [1 2 3 4 5 6], 4: [1 2 3 4 5 6]);
        &TILES
    }
}

/// # Safety
/// The processor has the set; see also [`tile`].
#[target_feature(enable = "neon")]
unsafe fn tile_of<const ROWS: usize, const VECTORS: usize>(terms: &Terms, out: &[*mut f32], add: bool) {
    // SAFETY: the caller's promises are those that `tile` asks for.
    unsafe { tile::<Neon, ROWS, VECTORS>(Neon(()), terms, out, add) }
}

impl Simd for Neon {
    type Vector = float32x4_t;
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(self, value: f32) -> float32x4_t {
        // SAFETY: `self` proves that the processor has the set.
        unsafe { vdupq_n_f32(value) }
    }

    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        // SAFETY: as above, and the caller promises that there are 4 numbers.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, vector: float32x4_t) {
        // SAFETY: as above, and the caller promises that there is room for 4 numbers.
        unsafe { vst1q_f32(to, vector) }
    }

    #[inline(always)]
    fn run<R>(self, f: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "neon")]
        fn inner<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        // SAFETY: `self` proves that the processor has the set.
        unsafe { inner(f) }
    }
}
