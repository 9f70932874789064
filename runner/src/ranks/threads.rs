//! Ranks that are threads of one process: for tests of what several do together.

use super::{Carrier, Ranks};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// How long a rank waits for the others: one that panicked does not come.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the threads have in common.
#[derive(Debug)]
struct Table {
    round: Mutex<Round>,
    over: Condvar,
}

/// What each brings, until all have brought something, and what they brought in the round before.
#[derive(Debug, Default)]
struct Round {
    number: usize,
    brought: BTreeMap<usize, Vec<u8>>,
    before: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Thread {
    rank: usize,
    count: usize,
    table: Arc<Table>,
}

impl Thread {
    /// What each brings.
    fn exchange(&self, own: &[u8]) -> Vec<Vec<u8>> {
        let mut round = self.table.round.lock().unwrap();
        let number = round.number;
        round.brought.insert(self.rank, own.to_vec());
        if round.brought.len() == self.count {
            round.before = std::mem::take(&mut round.brought).into_values().collect();
            round.number += 1;
            self.table.over.notify_all();
        }
        let goes_on = |round: &mut Round| round.number == number;
        let (round, waited) = self.table.over.wait_timeout_while(round, PATIENCE, goes_on).unwrap();
        assert!(!waited.timed_out(), "the other ranks do not come to rank {}", self.rank);
        round.before.clone()
    }
}

impl Carrier for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn host(&self) -> String {
        "this one".to_owned()
    }

    fn gather(&self, own: &[u8], all: &mut [u8]) {
        let found = self.exchange(own).concat();
        all.copy_from_slice(&found);
    }

    fn deal(&self, own: &[f32], dealt: &mut [f32]) {
        let part = own.len() / self.count;
        let all = self.exchange(bytemuck::cast_slice(own));
        for (place, bytes) in dealt.chunks_exact_mut(part.max(1)).zip(all) {
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
            place.copy_from_slice(&values[self.rank * part..(self.rank + 1) * part]);
        }
    }
}

/// Does something on so many ranks at once; gives what came of it on each.
///
/// # Panics
/// Where one of them does.
pub fn run<T: Send>(count: usize, work: impl Fn(Ranks) -> T + Sync) -> Vec<T> {
    let table = Arc::new(Table { round: Mutex::default(), over: Condvar::new() });
    let work = &work;
    thread::scope(|scope| {
        let start = |rank| {
            let table = Arc::clone(&table);
            scope.spawn(move || work(Ranks::over(Box::new(Thread { rank, count, table }))))
        };
        let threads: Vec<_> = (0..count).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
