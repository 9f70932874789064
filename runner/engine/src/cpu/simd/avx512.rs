//! AVX-512: 16 numbers a vector, 32 vectors.

use super::tile::{Tiles, tile, tiles};
use super::{Simd, Terms};
use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

/// See the module.
#[derive(Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    /// The set, if the processor has it.
    pub fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        has.then_some(Avx512(()))
    }

    /// Up to 24 sums stay in registers.
    #[allow(clippy::unused_self)] // It proves that the processor has the set.
    pub fn tiles(self) -> &'static Tiles {
        static TILES: Tiles = tiles!(tile_of, Avx512::LANES, best 4, 1: [1 2 3 4 5 6], 2: [1 2 3 4 5 6], 3: [1 2 3 4 5 6], 4: [1 2 3 4 5 6]);
        &TILES
    }
}

/// # Safety
/// The processor has the set; see also [`tile`].
#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
unsafe fn tile_of<const ROWS: usize, const VECTORS: usize>(terms: &Terms, out: &[*mut f32], add: bool) {
    // SAFETY: the caller's promises are those that `tile` asks for.
    unsafe { tile::<Avx512, ROWS, VECTORS>(Avx512(()), terms, out, add) }
}

impl Simd for Avx512 {
    type Vector = __m512;
    const LANES: usize = 16;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: `self` proves that the processor has the set.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: as above, and the caller promises that there are 16 numbers.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, vector: __m512) {
        // SAFETY: as above, and the caller promises that there is room for 16 numbers.
        unsafe { _mm512_storeu_ps(to, vector) }
    }

    #[inline(always)]
    fn run<R>(self, f: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
        fn inner<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        // SAFETY: `self` proves that the processor has the set.
        unsafe { inner(f) }
    }
}
