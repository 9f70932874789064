//! Batches made by threads ahead of their reader, within bounds and in order.

use super::work::{Mode, Work};
use super::{Batch, Upcoming};
use crate::augment::Pixels;
use crate::data::BadImage;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// The least number of batches that are made or wait while the reader has one.
pub const AHEAD: usize = 2;

/// Above which bit of a row's identity stands how often its sample came before.
const REPEAT: u32 = 40;

/// The place of the sample that has this identity.
pub fn place(identity: u64) -> usize {
    (identity & ((1 << REPEAT) - 1)) as usize
}

/// The identity of a sample that comes again so often.
fn identity(place: usize, repeat: u64) -> u64 {
    place as u64 | repeat << REPEAT
}

/// The rows of batches.
pub struct Rows {
    /// Each one's sample, by its place in the data set.
    pub order: Vec<usize>,
    /// How often each one's sample came before it.
    pub repeats: Vec<u64>,
}

impl Rows {
    /// The samples of an order.
    pub fn of(order: &[usize]) -> Self {
        Rows { order: order.to_vec(), repeats: repeats(order) }
    }

    /// Samples that are each what it is, however often it came.
    pub fn alike(order: &[usize]) -> Self {
        Rows { order: order.to_vec(), repeats: vec![0; order.len()] }
    }

    /// Those at some places.
    pub fn select(&self, places: impl Iterator<Item = usize> + Clone) -> Self {
        Rows {
            order: places.clone().map(|place| self.order[place]).collect(),
            repeats: places.map(|place| self.repeats[place]).collect(),
        }
    }

    /// Who the rows are for random layers: a sample that comes again is another.
    pub fn identities(&self) -> Vec<u64> {
        self.order.iter().zip(&self.repeats).map(|(&place, &repeat)| identity(place, repeat)).collect()
    }
}

/// By place in an order: how often what stands there comes before it.
fn repeats(order: &[usize]) -> Vec<u64> {
    let mut seen = HashMap::new();
    let count = |place: &usize| {
        let times = seen.entry(*place).or_insert(0);
        *times += 1;
        *times - 1
    };
    order.iter().map(count).collect()
}

/// How many batches of `size` are made or wait while the reader has one.
pub fn ahead(size: usize, workers: usize) -> usize {
    AHEAD.max(workers.div_ceil(size.max(1)) + 1)
}

/// Batches in order. Workers take samples, not batches, so that the first batch is made by all of
/// them; whoever finishes a batch's last sample makes the batch. No sample is taken that lies more
/// than the bound ahead of what was read. Dropping it stops and joins the workers.
pub struct Batches {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// The next batch, where it was looked at.
    seen: Option<Result<Batch, BadImage>>,
}

struct Shared {
    work: Arc<Work>,
    mode: Mode,
    rows: Rows,
    size: usize,
    ahead: usize,
    state: Mutex<State>,
    /// Told when a batch was read, or when to stop.
    room: Condvar,
    /// Told when a batch is made.
    made: Condvar,
}

struct State {
    /// The next sample to take, by its place in the order.
    next: usize,
    /// Batches that the reader has.
    read: usize,
    /// Batches from `read` on.
    waiting: VecDeque<Slot>,
    stop: bool,
}

/// A batch on its way.
enum Slot {
    /// Samples as far as they are prepared, and how many are missing.
    Filling { samples: Vec<Option<Result<Pixels, BadImage>>>, missing: usize },
    /// A worker makes the batch.
    Making,
    /// It can be read.
    Made(Result<Batch, BadImage>),
}

impl Batches {
    /// Starts making batches of `size` of some rows.
    pub fn start(work: Arc<Work>, mode: Mode, rows: Rows, size: usize, workers: usize) -> Self {
        Self::start_at(work, mode, rows, size, workers, 0)
    }

    /// As [`Batches::start`], without the batches before that with number `first`.
    pub fn start_at(work: Arc<Work>, mode: Mode, rows: Rows, size: usize, workers: usize, first: usize) -> Self {
        let count = rows.order.len();
        let shared = Arc::new(Shared {
            work,
            mode,
            rows,
            size,
            ahead: ahead(size, workers),
            state: Mutex::new(State {
                next: first.saturating_mul(size),
                read: first,
                waiting: VecDeque::new(),
                stop: false,
            }),
            room: Condvar::new(),
            made: Condvar::new(),
        });
        let worker = |number| {
            let shared = Arc::clone(&shared);
            Builder::new().name(format!("loader-{number}")).spawn(move || while shared.work_on_one(true) {})
        };
        // A thread that the system refuses is done without; with none, the reader works itself.
        let workers = (0..workers.min(count)).map_while(|number| worker(number).ok()).collect();
        Batches { shared, workers, seen: None }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, BadImage>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(seen) = self.seen.take() {
            return Some(seen);
        }
        let shared = &*self.shared;
        let mut state = shared.lock();
        if state.read >= shared.rows.order.len().div_ceil(shared.size) {
            return None;
        }
        loop {
            if let Some(batch) = shared.read(&mut state) {
                return Some(batch);
            }
            if self.workers.is_empty() {
                drop(state);
                shared.work_on_one(false);
                state = shared.lock();
            } else {
                state = shared.made.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Upcoming for Batches {
    fn look(&mut self) -> Option<&Batch> {
        if self.seen.is_none() {
            self.seen = self.shared.read(&mut self.shared.lock());
        }
        self.seen.as_ref()?.as_ref().ok()
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.room.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked has nothing to say; its panic was printed.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out the next batch, if it is made.
    fn read(&self, state: &mut State) -> Option<Result<Batch, BadImage>> {
        let batch = match state.waiting.pop_front()? {
            Slot::Made(batch) => batch,
            other => {
                state.waiting.push_front(other);
                return None;
            }
        };
        state.read += 1;
        self.room.notify_all();
        Some(batch)
    }

    /// The samples of a batch, by their places in the data set.
    fn places(&self, batch: usize) -> &[usize] {
        let start = batch * self.size;
        let order = &self.rows.order;
        &order[start..order.len().min(start + self.size)]
    }

    /// Who the rows of a batch are for random layers: a sample that comes again is another.
    fn identities(&self, batch: usize) -> Vec<u64> {
        let repeats = self.rows.repeats.iter().skip(batch * self.size);
        self.places(batch).iter().zip(repeats).map(|(&place, &repeat)| identity(place, repeat)).collect()
    }

    /// Prepares the next sample, and its batch if it was the last. False when there is no more to
    /// do, or no room and `patient` is false.
    fn work_on_one(&self, patient: bool) -> bool {
        let Some(taken) = self.take(patient) else { return false };
        let (batch, row) = (taken / self.size, taken % self.size);
        let sample = self.work.sample(self.rows.order[taken], self.rows.repeats[taken], self.mode);
        if let Some(samples) = self.put(batch, row, sample) {
            let images: Result<Vec<Pixels>, BadImage> = samples.into_iter().flatten().collect();
            let identities = self.identities(batch);
            let made = images.map(|images| self.work.batch(batch, self.places(batch), identities, &images, self.mode));
            let mut state = self.lock();
            let slot = batch - state.read;
            if let Some(slot) = state.waiting.get_mut(slot) {
                *slot = Slot::Made(made);
            }
            self.made.notify_all();
        }
        true
    }

    /// Takes the next sample, once there is room for its batch.
    fn take(&self, patient: bool) -> Option<usize> {
        let mut state = self.lock();
        while !state.stop && state.next < self.rows.order.len() && state.next / self.size >= state.read + self.ahead {
            if !patient {
                return None;
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stop || state.next >= self.rows.order.len() {
            return None;
        }
        let taken = state.next;
        state.next += 1;
        if taken.is_multiple_of(self.size) {
            let missing = self.places(taken / self.size).len();
            state.waiting.push_back(Slot::Filling { samples: vec![None; missing], missing });
        }
        Some(taken)
    }

    /// Puts a prepared sample into its batch. All of the batch's samples if none is missing now.
    fn put(
        &self,
        batch: usize,
        row: usize,
        sample: Result<Pixels, BadImage>,
    ) -> Option<Vec<Option<Result<Pixels, BadImage>>>> {
        let mut state = self.lock();
        let slot = batch - state.read;
        let slot = state.waiting.get_mut(slot)?;
        let Slot::Filling { samples, missing } = slot else { return None };
        *samples.get_mut(row)? = Some(sample);
        *missing -= 1;
        if *missing > 0 {
            return None;
        }
        let samples = std::mem::take(samples);
        *slot = Slot::Making;
        Some(samples)
    }
}
