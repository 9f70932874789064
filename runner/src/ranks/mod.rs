//! Several processes that train one net together: what they tell each other.
//!
//! Each is a rank, as MPI calls them. All ranks do the same things in the same order; what they compute apart (a share
//! of each batch) they bring together by the operations of [`Ranks`], each of which is a meeting: every rank comes to
//! it, or one says there that it has failed, and then all of them stop with its reason. A run in one process is the
//! rank 0 of 1, for which every meeting is over at once.

mod carrier;
mod fault;
mod launch;
#[cfg(feature = "mpi")]
mod mpi;
mod place;
mod shared;
#[cfg(test)]
pub mod threads;

pub use carrier::Carrier;
pub use fault::RankFault;
pub use launch::{Joined, join, speaks};
pub use place::Place;
pub use shared::Shared;

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Values that are summed over ranks at a time.
const BUCKET: usize = 1 << 22;

/// What ranks meet for. In a meeting all must be for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
enum Purpose {
    Gather = 1,
    Sum = 2,
    Part = 3,
    /// This rank has failed.
    Failed = 4,
}

/// The processes that train one net, seen from one of them.
#[derive(Debug, Clone, Default)]
pub struct Ranks(Option<Arc<Several>>);

#[derive(Debug)]
struct Several {
    carrier: Box<dyn Carrier>,
    /// Why one of them has stopped: there is no meeting any more.
    fault: OnceLock<RankFault>,
    place: OnceLock<Place>,
}

impl Ranks {
    /// One process.
    pub fn alone() -> Self {
        Ranks(None)
    }

    /// Those that a carrier connects; one is alone.
    pub fn over(carrier: Box<dyn Carrier>) -> Self {
        if carrier.count() < 2 {
            return Self::alone();
        }
        Ranks(Some(Arc::new(Several { carrier, fault: OnceLock::new(), place: OnceLock::new() })))
    }

    /// Which one this is, from 0.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |several| several.carrier.rank())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |several| several.carrier.count())
    }

    /// Whether there are others.
    pub fn are_several(&self) -> bool {
        self.0.is_some()
    }

    /// Whether this is the one that writes files and speaks to a person.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// The machine that this one is on.
    fn host(&self) -> String {
        self.0.as_ref().map_or_else(String::new, |several| several.carrier.host())
    }

    /// Finds where each of them is: to be called once on all of them, before the first that asks.
    pub fn find_places(&self) -> Result<(), RankFault> {
        let Some(several) = &self.0 else { return Ok(()) };
        let place = Place::of(self)?;
        several.place.get_or_init(|| place);
        Ok(())
    }

    /// Where this one is.
    pub fn place(&self) -> Place {
        let found = self.0.as_ref().and_then(|several| several.place.get());
        found.copied().unwrap_or(Place { local: 0, on_cores: 1 })
    }

    /// The threads that are this one's: those on the same cores share them evenly.
    pub fn threads(&self) -> usize {
        self.place().threads()
    }

    /// The part of so many things that is this rank's: they are cut into contiguous parts whose lengths differ by
    /// one at most.
    pub fn part_of(&self, things: usize) -> Range<usize> {
        let (rank, count) = (self.rank(), self.count());
        rank * things / count..(rank + 1) * things / count
    }

    /// The bytes that each rank brings, in their order.
    pub fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>, RankFault> {
        let Some(several) = &self.0 else { return Ok(vec![own.to_vec()]) };
        let lengths = several.meet(Purpose::Gather, own.len())?;
        Ok(several.gather(own, &lengths))
    }

    /// What each rank brings, in their order.
    pub fn collect<T: Serialize + DeserializeOwned>(&self, own: &T) -> Result<Vec<T>, RankFault> {
        let own = serde_json::to_vec(own).map_err(|error| RankFault::message(&error))?;
        let all = self.gather(&own)?;
        all.iter().map(|bytes| serde_json::from_slice(bytes).map_err(|error| RankFault::message(&error))).collect()
    }

    /// What rank 0 says. The others do not work it out.
    pub fn tell<T: Serialize + DeserializeOwned>(&self, say: impl FnOnce() -> T) -> Result<T, RankFault> {
        if !self.are_several() {
            return Ok(say());
        }
        let own = self.is_first().then(say);
        let first = self.collect(&own)?.into_iter().next().flatten();
        first.ok_or_else(|| RankFault::message(&"rank 0 said nothing"))
    }

    /// Whether it is so on any rank.
    pub fn any(&self, own: bool) -> Result<bool, RankFault> {
        Ok(self.gather(&[u8::from(own)])?.iter().any(|bytes| bytes.contains(&1)))
    }

    /// An error where something that must be the same on all ranks is not.
    pub fn agree(&self, what: &'static str, own: &str) -> Result<(), RankFault> {
        let Some(several) = &self.0 else { return Ok(()) };
        let all = self.gather(own.as_bytes())?;
        let text = |rank: usize| String::from_utf8_lossy(&all[rank]).into_owned();
        match all.iter().position(|other| *other != all[0]) {
            None => Ok(()),
            Some(rank) => Err(several.stop(RankFault::Differs { what, rank, other: text(rank), first: text(0) })),
        }
    }

    /// Sums values over the ranks, in the order of the ranks; all get the same bits.
    pub fn sum(&self, values: &mut [f64]) -> Result<(), RankFault> {
        if !self.are_several() {
            return Ok(());
        }
        let all = self.gather(bytemuck::cast_slice(values))?;
        values.fill(0.0);
        for bytes in &all {
            let terms: Vec<f64> = bytemuck::pod_collect_to_vec(bytes);
            values.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
        Ok(())
    }

    /// As [`Ranks::sum`], for very many values: each rank sums a part of them and gives it to the others.
    pub fn sum_many(&self, values: &mut [f32]) -> Result<(), RankFault> {
        let Some(several) = &self.0 else { return Ok(()) };
        several.meet(Purpose::Sum, values.len())?;
        values.chunks_mut(BUCKET).for_each(|bucket| several.sum(bucket));
        Ok(())
    }

    /// Does something that leaves files which others find (downloads, caches): rank 0 first, then the others.
    pub fn first_then_others<T, E: From<RankFault>>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        if self.is_first() {
            let done = work()?;
            self.gather(&[])?;
            return Ok(done);
        }
        self.gather(&[])?;
        work()
    }

    /// All has been done on this rank: waits for the others.
    pub fn part(&self) -> Result<(), RankFault> {
        let Some(several) = &self.0 else { return Ok(()) };
        several.meet(Purpose::Part, 0).map(drop)
    }

    /// This rank cannot go on: tells the others, who stop at the next meeting. Nothing where they know already that
    /// one has failed.
    pub fn fail(&self, reason: &str) {
        let Some(several) = &self.0 else { return };
        if several.fault.get().is_none() {
            several.fail(reason);
        }
    }

    /// Why the ranks stopped.
    pub fn fault(&self) -> Option<&RankFault> {
        self.0.as_ref().and_then(|several| several.fault.get())
    }

    /// Whether it is another rank that stopped.
    pub fn another_stopped(&self) -> Option<&RankFault> {
        self.fault().filter(|fault| matches!(fault, RankFault::Stopped { rank, .. } if *rank != self.rank()))
    }
}

impl Several {
    /// Comes to a meeting, with something of this length; gives the lengths of all.
    fn meet(&self, purpose: Purpose, length: usize) -> Result<Vec<usize>, RankFault> {
        if let Some(fault) = self.fault.get() {
            return Err(fault.clone());
        }
        let all = self.headers(purpose, length);
        let failed = |&(purpose, _): &(u64, usize)| purpose == Purpose::Failed as u64;
        let fault = if let Some(rank) = all.iter().position(failed) {
            let reason = self.reasons(&[], &all).swap_remove(rank);
            RankFault::Stopped { rank, count: self.carrier.count(), reason }
        } else if all.iter().any(|&(other, _)| other != purpose as u64) {
            RankFault::message(&"the ranks are not at the same place: an internal error")
        } else {
            return Ok(all.into_iter().map(|(_, length)| length).collect());
        };
        Err(self.stop(fault))
    }

    /// There is no meeting any more, for a reason that all ranks see.
    fn stop(&self, fault: RankFault) -> RankFault {
        self.fault.get_or_init(|| fault).clone()
    }

    /// Comes to a meeting as one that has failed.
    fn fail(&self, reason: &str) {
        let all = self.headers(Purpose::Failed, reason.len());
        self.reasons(reason.as_bytes(), &all);
        let (rank, count) = (self.carrier.rank(), self.carrier.count());
        self.stop(RankFault::Stopped { rank, count, reason: reason.to_owned() });
    }

    /// What each rank comes for, and how long what it brings is.
    fn headers(&self, purpose: Purpose, length: usize) -> Vec<(u64, usize)> {
        let mut all = vec![0; 2 * self.carrier.count()];
        let own = [purpose as u64, length as u64];
        self.carrier.gather(bytemuck::cast_slice(&own), bytemuck::cast_slice_mut(&mut all));
        all.chunks_exact(2).map(|header| (header[0], header[1] as usize)).collect()
    }

    /// The reasons of those that have failed, in a meeting with these headers.
    fn reasons(&self, own: &[u8], headers: &[(u64, usize)]) -> Vec<String> {
        let lengths =
            headers.iter().map(|&(purpose, length)| if purpose == Purpose::Failed as u64 { length } else { 0 });
        let all = self.gather(own, &lengths.collect::<Vec<_>>());
        all.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    /// The bytes of all ranks, which have these lengths.
    fn gather(&self, own: &[u8], lengths: &[usize]) -> Vec<Vec<u8>> {
        let most = lengths.iter().copied().max().unwrap_or(0);
        if most == 0 {
            return vec![Vec::new(); lengths.len()];
        }
        let mut padded = own.to_vec();
        padded.resize(most, 0);
        let mut all = vec![0; most * lengths.len()];
        self.carrier.gather(&padded, &mut all);
        all.chunks_exact(most).zip(lengths).map(|(bytes, &length)| bytes[..length].to_vec()).collect()
    }

    /// Sums a bucket: each rank gets a part of it from all, and gives the sum of that part to all.
    fn sum(&self, bucket: &mut [f32]) {
        let count = self.carrier.count();
        let part = bucket.len().div_ceil(count);
        let mut dealt = bucket.to_vec();
        dealt.resize(part * count, 0.0);
        let mut terms = vec![0.0; part * count];
        self.carrier.deal(&dealt, &mut terms);
        let term = |place: usize| (0..count).map(|rank| f64::from(terms[rank * part + place])).sum::<f64>();
        let own: Vec<f32> = (0..part).map(|place| term(place) as f32).collect();
        self.carrier.gather(bytemuck::cast_slice(&own), bytemuck::cast_slice_mut(&mut dealt));
        bucket.copy_from_slice(&dealt[..bucket.len()]);
    }
}

#[cfg(test)]
mod tests;
