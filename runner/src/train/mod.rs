//! Training: the loop, the phase clock, checkpoints, stop rules.
