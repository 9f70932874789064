//! Why ranks stop.

/// Ranks cannot go on together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RankFault {
    /// One of them has failed.
    #[error("rank {rank} of {count} (counted from 0) stopped: {reason}")]
    Stopped {
        /// Which one.
        rank: usize,
        /// How many there are.
        count: usize,
        /// What it said.
        reason: String,
    },
    /// Something must be the same on all of them, and is not.
    #[error("the ranks differ in {what}: rank 0 has {first}, rank {rank} has {other}")]
    Differs {
        /// In what.
        what: &'static str,
        /// The first that has something else than rank 0.
        rank: usize,
        /// What it has.
        other: String,
        /// What rank 0 has.
        first: String,
    },
    /// `mpirun` has started several processes of a program that cannot train together.
    #[error(
        "mpirun has started {count} processes, and this runner is built without MPI, so that each would train for itself: \
         build it with `--features mpi`, or start it without mpirun"
    )]
    NoMpi {
        /// How many.
        count: usize,
    },
    /// What was said cannot be understood, or was not said.
    #[error("the ranks do not understand each other: {0}")]
    Message(String),
}

impl RankFault {
    /// What was said cannot be understood.
    pub fn message(what: &dyn std::fmt::Display) -> Self {
        RankFault::Message(what.to_string())
    }
}
