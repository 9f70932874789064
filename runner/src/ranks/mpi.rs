//! Ranks that MPI connects.

use super::{Carrier, RankFault};
use mpi::Threading;
use mpi::environment::{Universe, processor_name};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};

/// The connection; it ends, for all ranks at once, when it is dropped.
pub struct Connection(Universe);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MPI of {} ranks", self.0.world().size())
    }
}

/// Ranks by MPI. An error within MPI ends all of them, in its own words.
#[derive(Debug)]
pub struct Mpi {
    rank: usize,
    count: usize,
    host: String,
}

/// Connects the processes that the launcher started.
pub fn connect() -> Result<(Mpi, Connection), RankFault> {
    // The thread that trains is not the main one.
    let (universe, threading) = mpi::initialize_with_threading(Threading::Serialized)
        .ok_or_else(|| RankFault::message(&"MPI is in use already"))?;
    if threading < Threading::Serialized {
        return Err(RankFault::message(&"this MPI cannot be used by a program with threads"));
    }
    let world = universe.world();
    let number = |value: i32| usize::try_from(value).unwrap_or_default();
    let mpi =
        Mpi { rank: number(world.rank()), count: number(world.size()), host: processor_name().unwrap_or_default() };
    Ok((mpi, Connection(universe)))
}

impl Carrier for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn host(&self) -> String {
        self.host.clone()
    }

    fn gather(&self, own: &[u8], all: &mut [u8]) {
        SimpleCommunicator::world().all_gather_into(own, all);
    }

    fn deal(&self, own: &[f32], dealt: &mut [f32]) {
        SimpleCommunicator::world().all_to_all_into(own, dealt);
    }
}
