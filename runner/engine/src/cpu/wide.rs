//! Loops compiled for the widest vectors that the processor has.

use pulp::Arch;
use std::sync::OnceLock;

/// Runs `f` compiled for the widest vectors found at run time (AVX-512, AVX2, NEON, ...).
///
/// The compiler vectorises the loops inside; it does not contract `a * b + c`, so the numbers are
/// the same whatever the width.
#[inline(always)]
pub fn wide<R>(f: impl FnOnce() -> R) -> R {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    ARCH.get_or_init(Arch::new).dispatch(f)
}
