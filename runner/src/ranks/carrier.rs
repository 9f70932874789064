//! What carries values between ranks.

use std::fmt::Debug;

/// What carries values between ranks: MPI, or memory between threads. Every rank calls the same method at the same
/// time, with slices of the same lengths.
pub trait Carrier: Debug + Send + Sync {
    /// Which one this is.
    fn rank(&self) -> usize;

    /// How many there are.
    fn count(&self) -> usize;

    /// The machine that this one is on.
    fn host(&self) -> String;

    /// What each brings, one after the other; `all` is `count` times as long as `own`.
    fn gather(&self, own: &[u8], all: &mut [u8]);

    /// Gives the part `r` of `own` to rank `r`; what the ranks give to this one comes one after the other. Both are
    /// as long.
    fn deal(&self, own: &[f32], dealt: &mut [f32]);
}
