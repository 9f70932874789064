//! Where in a phase a step is.

/// Where in a phase a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Steps of the phase before this one.
    pub step: u64,
    /// Steps of the whole phase, as it is planned.
    pub steps: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
}

impl Clock {
    /// The share of the phase that is done, in [0, 1].
    pub fn share(self) -> f64 {
        (self.step as f64 / self.steps.max(1) as f64).min(1.0)
    }

    /// Epochs that are done, with their fraction.
    pub fn epochs(self) -> f64 {
        self.step as f64 / self.steps_per_epoch.max(1) as f64
    }
}
