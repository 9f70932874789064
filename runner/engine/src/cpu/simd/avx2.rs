//! AVX2 with FMA: 8 numbers a vector, 16 vectors.

use super::tile::{Tiles, tile, tiles};
use super::{Simd, Terms};
use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm256_sub_ps,
};

/// See the module.
#[derive(Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    /// The set, if the processor has it.
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx2(()))
    }

    /// Twelve sums stay in registers.
    #[allow(clippy::unused_self)] // It proves that the processor has the set.
    pub fn tiles(self) -> &'static Tiles {
        static TILES: Tiles = tiles!(tile_of, Avx2::LANES, best 2, 1: [1 2 3 4 5 6], 2: [1 2 3 4 5 6], 3: [1 2 3 4]);
        &TILES
    }
}

/// # Safety
/// The processor has the set; see also [`tile`].
#[target_feature(enable = "avx2,fma")]
unsafe fn tile_of<const ROWS: usize, const VECTORS: usize>(terms: &Terms, out: &[*mut f32], add: bool) {
    // SAFETY: the caller's promises are those that `tile` asks for.
    unsafe { tile::<Avx2, ROWS, VECTORS>(Avx2(()), terms, out, add) }
}

impl Simd for Avx2 {
    type Vector = __m256;
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: `self` proves that the processor has the set.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: as above, and the caller promises that there are 8 numbers.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, vector: __m256) {
        // SAFETY: as above, and the caller promises that there is room for 8 numbers.
        unsafe { _mm256_storeu_ps(to, vector) }
    }

    #[inline(always)]
    fn run<R>(self, f: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx2,fma")]
        fn inner<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        // SAFETY: `self` proves that the processor has the set.
        unsafe { inner(f) }
    }
}
