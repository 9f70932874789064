//! Loops that are spread over the runner's threads.

use crate::error::catch;
use crate::host::host;
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A loop on its way through the host.
struct Loop<'a, T, F> {
    items: Vec<Mutex<Option<T>>>,
    body: &'a F,
    panic: Mutex<Option<String>>,
}

/// Calls `body(i, item)` for each item and returns when all are done. The runner's threads share the
/// work; use this rather than threads of your own.
///
/// ```
/// # let (mut output, width) = (vec![0.0; 12], 4);
/// runner_plugin::parallel::for_each(output.chunks_mut(width), |row, chunk| chunk.fill(row as f32));
/// ```
///
/// Two or more slices go together by `a.chunks_mut(n).zip(b.chunks_mut(m))`.
///
/// # Panics
/// If `body` panics, once all threads have come back.
pub fn for_each<T: Send, F: Fn(usize, T) + Sync>(items: impl IntoIterator<Item = T>, body: F) {
    let items: Vec<T> = items.into_iter().collect();
    let Some(host) = host().filter(|_| items.len() > 1) else {
        return items.into_iter().enumerate().for_each(|(i, item)| body(i, item));
    };
    let count = items.len();
    let items = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    let work = Loop { items, body: &body, panic: Mutex::new(None) };
    // SAFETY: `run` is given the loop that it is made for, which outlives the call, and shares it
    // between threads by mutexes alone; the body is `Sync` and the items are `Send`.
    unsafe { (host.parallel_for)(count, Some(run::<T, F>), (&raw const work).cast_mut().cast()) };
    if let Some(text) = lock(&work.panic).take() {
        std::panic::resume_unwind(Box::new(text));
    }
    assert!(work.items.iter().all(|item| lock(item).is_none()), "the runner left out a part of a parallel loop");
}

/// # Safety
/// `context` is a `Loop<T, F>`.
unsafe extern "C" fn run<T: Send, F: Fn(usize, T) + Sync>(context: *mut c_void, index: usize) {
    // SAFETY: as the caller promises.
    let work = unsafe { &*context.cast::<Loop<'_, T, F>>() };
    let Some(item) = work.items.get(index).and_then(|item| lock(item).take()) else { return };
    if let Err(text) = catch(|| (work.body)(index, item)) {
        lock(&work.panic).get_or_insert(text);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
