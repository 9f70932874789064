//! How the processes that `mpirun` starts come together.

use super::{RankFault, Ranks};

/// What a launcher sets in each of the processes that it starts: their number.
const COUNTS: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/// The ranks, as long as this lives.
#[derive(Debug)]
pub struct Joined {
    /// All of them.
    pub ranks: Ranks,
    #[cfg(feature = "mpi")]
    _mpi: Option<super::mpi::Connection>,
}

/// Joins the processes that were started with this one; alone where there are none. To be called by the main thread,
/// which drops what it gives last of all.
///
/// # Errors
/// Where there are others, and this program is built without MPI, or MPI cannot be used.
pub fn join() -> Result<Joined, RankFault> {
    let count = COUNTS.iter().find_map(|name| std::env::var(name).ok()?.parse::<usize>().ok()).unwrap_or(1);
    connect(count)
}

#[cfg(feature = "mpi")]
fn connect(count: usize) -> Result<Joined, RankFault> {
    // Slurm's `srun` tells how many they are through PMIx alone.
    if count < 2 && std::env::var_os("PMIX_RANK").is_none() {
        return Ok(Joined { ranks: Ranks::alone(), _mpi: None });
    }
    let (carrier, connection) = super::mpi::connect()?;
    Ok(Joined { ranks: Ranks::over(Box::new(carrier)), _mpi: Some(connection) })
}

#[cfg(not(feature = "mpi"))]
fn connect(count: usize) -> Result<Joined, RankFault> {
    if count < 2 {
        return Ok(Joined { ranks: Ranks::alone() });
    }
    Err(RankFault::NoMpi { count })
}

/// Whether this is the process of those that `mpirun` started that speaks when they cannot come together.
pub fn speaks() -> bool {
    let rank = ["OMPI_COMM_WORLD_RANK", "PMI_RANK"].iter().find_map(|name| std::env::var(name).ok());
    rank.is_none_or(|rank| rank == "0")
}
