//! What an augmentation is told besides the image.

/// What an augmentation is told besides the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// (height, width) of what the net gets.
    pub target: [usize; 2],
    /// The epoch of the whole run, from 1.
    pub epoch: u64,
}

impl From<[usize; 2]> for Context {
    /// The first epoch.
    fn from(target: [usize; 2]) -> Self {
        Context { target, epoch: 1 }
    }
}
