//! The way of values from the host to the GPU: through memory that the driver may read by itself, part by part, so that one
//! part travels while the next is put there.

use super::gpu::{Place, Run};
use cudarc::driver::{result, sys};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Values of a part.
const PART: usize = 1 << 20;
/// Parts.
const PARTS: usize = 4;
/// Values that a thread copies.
const SHARE: usize = 1 << 17;

/// Parts of memory that does not move.
pub struct Staging(Mutex<Ring>);

struct Ring {
    parts: [Part; PARTS],
    next: usize,
}

struct Part {
    memory: *mut f32,
    /// When it has travelled.
    gone: sys::CUevent,
}

// SAFETY: the memory is reached through the lock alone, and handles may be given to the driver on any thread.
unsafe impl Send for Part {}

impl Staging {
    /// Takes the memory.
    pub fn new() -> Run<Self> {
        let part = || -> Run<Part> {
            let mut memory = std::ptr::null_mut();
            // SAFETY: the driver writes where the memory begins. It is kept until the process ends.
            unsafe { sys::cuMemHostAlloc(&raw mut memory, PART * size_of::<f32>(), 0) }.result()?;
            Ok(Part {
                memory: memory.cast(),
                gone: result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)?,
            })
        };
        let parts = [part()?, part()?, part()?, part()?];
        Ok(Staging(Mutex::new(Ring { parts, next: 0 })))
    }

    /// Copies values; they have left `values` when this returns.
    pub fn upload(&self, to: Place, values: &[f32], stream: sys::CUstream) -> Run<()> {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, values) in values.chunks(PART).enumerate() {
            let part = &ring.parts[ring.next];
            // SAFETY: an event of this process; one that was never recorded is over.
            unsafe { sys::cuEventSynchronize(part.gone) }.result()?;
            // SAFETY: there is room for a part, nobody else has it while the lock is held, and what travelled from here
            // has arrived.
            let staged = unsafe { std::slice::from_raw_parts_mut(part.memory, values.len()) };
            staged.par_chunks_mut(SHARE).zip(values.par_chunks(SHARE)).for_each(|(to, from)| to.copy_from_slice(from));
            // SAFETY: `to` has room for all values; the part is not written to before the event.
            unsafe {
                result::memcpy_htod_async(to.after(number * PART).0, staged, stream)?;
                result::event::record(part.gone, stream)?;
            }
            ring.next = (ring.next + 1) % PARTS;
        }
        Ok(())
    }
}
