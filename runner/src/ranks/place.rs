//! Where a rank is: which others share its machine and its cores.

use super::{RankFault, Ranks};
use std::num::NonZero;
use std::{fs, thread};

/// Where a rank is among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number among those of its machine, from 0.
    pub local: usize,
    /// How many of its machine, itself included, may use the same cores.
    pub on_cores: usize,
}

impl Place {
    /// Finds where this rank is.
    pub fn of(ranks: &Ranks) -> Result<Self, RankFault> {
        let all = ranks.collect(&(ranks.host(), cores()))?;
        let Some((host, cores)) = all.get(ranks.rank()) else { return Ok(Place { local: 0, on_cores: 1 }) };
        let before = all.iter().take(ranks.rank());
        Ok(Place {
            local: before.filter(|(other, _)| other == host).count(),
            on_cores: all.iter().filter(|other| (&other.0, &other.1) == (host, cores)).count(),
        })
    }

    /// The threads that are this rank's, where those on the same cores share them evenly.
    pub fn threads(&self) -> usize {
        (thread::available_parallelism().map_or(1, NonZero::get) / self.on_cores.max(1)).max(1)
    }
}

/// The cores that this process may use, where the system tells: `mpirun` may have bound it to some.
fn cores() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::threads;
    use super::*;

    #[test]
    fn ranks_on_the_same_cores_share_them() {
        let alone = Place::of(&Ranks::alone()).unwrap();
        assert_eq!(alone, Place { local: 0, on_cores: 1 });
        let places = threads::run(3, |ranks| Place::of(&ranks).unwrap());
        assert_eq!(places.iter().map(|place| place.local).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(places.iter().all(|place| place.on_cores == 3));
        assert!(places[0].threads() <= alone.threads().div_ceil(3).max(1));
    }
}
