//! What the backward pass needs of the forward pass.

/// What a layer keeps of the forward pass until backward, for one sample. An activation that
/// several layers keep is in memory once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Whether its inputs are kept.
    pub inputs: bool,
    /// Whether its output is kept.
    pub output: bool,
    /// Values kept besides.
    pub extra: usize,
}

impl Kept {
    /// Backward needs no value.
    pub const NOTHING: Kept = Kept { inputs: false, output: false, extra: 0 };
}
