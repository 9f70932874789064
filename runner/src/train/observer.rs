//! Who is told what happens while a run goes on.

use super::Event;
use crate::metrics::{Answers, Confusion};

/// How far an epoch is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress<'a> {
    /// What goes on: the phase's name, `validating`, `testing`.
    pub doing: &'a str,
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs over all phases.
    pub epochs: usize,
    /// Images done in this epoch.
    pub done: usize,
    /// Images of this epoch.
    pub total: usize,
    /// Mean loss so far; `None` while evaluating.
    pub loss: Option<f64>,
}

/// Is told what happens while a run goes on.
pub trait Observer {
    /// Something is on record now.
    fn event(&mut self, event: &Event);

    /// An epoch goes on.
    fn progress(&mut self, progress: Progress<'_>);

    /// The test split was evaluated.
    fn tested(&mut self, classes: &[String], answers: &Answers, confusion: &Confusion);
}

/// Tells nobody: for the ranks that do not speak to a person.
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event) {}

    fn progress(&mut self, _: Progress<'_>) {}

    fn tested(&mut self, _: &[String], _: &Answers, _: &Confusion) {}
}
