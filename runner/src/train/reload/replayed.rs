//! The reloads of a run that was, again.

use super::{At, Follow, Offer, Prepared};
use std::collections::VecDeque;

/// A reload that was applied.
pub struct Past {
    /// Steps before it.
    pub step: u64,
    /// What came next.
    pub stage: String,
    /// The spec.
    pub prepared: Box<Prepared>,
}

/// Offers the specs that a run took up, each where that run took it up.
pub struct Replayed(VecDeque<Past>);

impl Replayed {
    /// These, in order.
    pub fn new(past: Vec<Past>) -> Self {
        Replayed(past.into())
    }
}

impl Follow for Replayed {
    fn latest(&mut self, at: At) -> Option<Offer> {
        let next = self.0.front()?;
        if next.step != at.step || next.stage != at.stage {
            return None;
        }
        self.0.pop_front().map(|past| Offer::Spec(past.prepared))
    }
}
