//! What every processor can do: the compiler makes of it what the target's baseline has.

use super::tile::{Tiles, tile, tiles};
use super::{Simd, Terms};
use std::array;

/// See the module.
#[derive(Clone, Copy)]
pub struct Portable;

impl Portable {
    /// Eight vectors of SSE2's size hold the sums.
    #[allow(clippy::unused_self)] // It proves that the processor has the set.
    pub fn tiles(self) -> &'static Tiles {
        static TILES: Tiles = tiles!(tile_of, Portable::LANES, best 1, 1: [1 2 3 4]);
        &TILES
    }
}

/// # Safety
/// See [`tile`].
unsafe fn tile_of<const ROWS: usize, const VECTORS: usize>(terms: &Terms, out: &[*mut f32], add: bool) {
    // SAFETY: the caller's promises are those that `tile` asks for.
    unsafe { tile::<Portable, ROWS, VECTORS>(Portable, terms, out, add) }
}

impl Simd for Portable {
    type Vector = [f32; 8];
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 8] {
        [value; 8]
    }

    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn sub(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        array::from_fn(|lane| a[lane] - b[lane])
    }

    /// Rounded twice: where there is no instruction for it, rounding once takes a call of the C library.
    #[inline(always)]
    fn mul_add(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        array::from_fn(|lane| a[lane] * b[lane] + c[lane])
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 8] {
        // SAFETY: the caller promises that there are 8 numbers; an array of them needs no more alignment.
        unsafe { from.cast::<[f32; 8]>().read() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, vector: [f32; 8]) {
        // SAFETY: the caller promises that there is room for 8 numbers.
        unsafe { to.cast::<[f32; 8]>().write(vector) }
    }

    #[inline(always)]
    fn run<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
}
