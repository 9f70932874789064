//! Loops compiled for the widest vectors that the processor has.

use super::simd::{self, Simd, WithSimd};

/// Runs an expression compiled for the set of vector instructions that was chosen (AVX-512, AVX2, NEON, ...).
///
/// The compiler vectorises the loops inside; it does not contract `a * b + c`, so the numbers are the same
/// whatever the width. It is a macro since a loop is compiled so only where it is inlined, which the compiler
/// must be told of the closure itself.
macro_rules! wide {
    ($body:expr) => {
        $crate::cpu::wide::run(
            #[inline(always)]
            || $body,
        )
    };
}
pub(super) use wide;

/// Runs a closure that is always inlined: see [`wide!`].
#[inline(always)]
pub fn run<R>(f: impl FnOnce() -> R) -> R {
    simd::dispatch(Plain(f))
}

struct Plain<F>(F);

impl<F: FnOnce() -> R, R> WithSimd for Plain<F> {
    type Output = R;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> R {
        (self.0)()
    }
}
