//! Values that travel on a stream of their own, beside the kernels.
//!
//! Memory is taken and freed in the order of the kernels' stream, as all memory is. The copy waits for an event that is
//! recorded there where the memory is taken: by then whoever had it before is done. What is computed with the values
//! waits for an event that is recorded after the copy. So nobody else has the memory between the two.

use super::gpu::{Gpu, Place, Run, Values, gpu};
use cudarc::driver::result;
use cudarc::driver::sys::{self, CUevent_flags, CUevent_wait_flags};

/// The stream of the copies. Nothing on it waits for kernels by itself, nor they for it.
pub struct Copies(sys::CUstream);

// SAFETY: a handle that the driver may be given on any thread.
unsafe impl Send for Copies {}
// SAFETY: as above.
unsafe impl Sync for Copies {}

impl Copies {
    /// Opens it; it is open until the process ends.
    pub fn new() -> Run<Self> {
        Ok(Copies(result::stream::create(result::stream::StreamKind::NonBlocking)?))
    }
}

/// A point in the work of a stream.
#[derive(Debug)]
struct Event(sys::CUevent);

impl Event {
    fn new() -> Run<Self> {
        Ok(Event(result::event::create(CUevent_flags::CU_EVENT_DISABLE_TIMING)?))
    }

    /// What the stream was asked for until now.
    fn record(&self, stream: sys::CUstream) -> Run<()> {
        // SAFETY: the event is there until this is dropped, the stream until the process ends.
        Ok(unsafe { result::event::record(self.0, stream) }?)
    }

    /// What the stream is asked for from now on waits for the point.
    fn comes_before(&self, stream: sys::CUstream) -> Run<()> {
        // SAFETY: as above.
        Ok(unsafe { result::stream::wait_event(stream, self.0, CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT) }?)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: nobody else has it; the driver forgets it once it is over.
        let _ = unsafe { result::event::destroy(self.0) };
    }
}

/// Memory, and the point where it can be written to.
#[derive(Debug)]
pub struct Room {
    values: Values,
    event: Event,
}

impl Room {
    /// Room for so many values.
    pub fn of(len: usize) -> Run<Self> {
        let gpu = gpu()?;
        let values = gpu.room(len)?;
        let event = Event::new()?;
        event.record(*gpu.device.cu_stream())?;
        Ok(Room { values, event })
    }

    /// Sends at most so many values there; they have left `values` when this returns.
    pub fn send(self, values: &[f32]) -> Run<Travelling> {
        let gpu = gpu()?;
        gpu.device.bind_to_thread()?;
        let sent = self.copy(gpu, values);
        if sent.is_err() {
            // Some of it may be on its way, and the memory is freed here.
            // SAFETY: the stream is open.
            let _ = unsafe { result::stream::synchronize(gpu.copies.0) };
        }
        let Room { values, event } = self;
        sent.map(|()| Travelling { arrival: Arrival { event, awaited: false }, values })
    }

    /// From now on the event says that the values are there.
    fn copy(&self, gpu: &Gpu, values: &[f32]) -> Run<()> {
        let Copies(copies) = gpu.copies;
        self.event.comes_before(copies)?;
        gpu.staging.upload(Place::of(&self.values), values, copies)?;
        self.event.record(copies)
    }
}

/// Values on their way. Dropped, they arrive before their memory is freed.
pub struct Travelling {
    // Dropped first.
    arrival: Arrival,
    values: Values,
}

/// When values are there.
struct Arrival {
    event: Event,
    /// Whether the kernels' stream waits for it.
    awaited: bool,
}

impl Travelling {
    /// The values, for kernels that are asked for from now on.
    pub fn arrive(mut self) -> Run<Values> {
        let gpu = gpu()?;
        gpu.device.bind_to_thread()?;
        self.arrival.event.comes_before(*gpu.device.cu_stream())?;
        self.arrival.awaited = true;
        Ok(self.values)
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if !self.awaited
            && let Ok(gpu) = gpu()
        {
            // A driver that fails here fails again where it can be said.
            let _ = gpu.device.bind_to_thread();
            // SAFETY: the event is there, and was recorded after the copy.
            let _ = unsafe { sys::cuEventSynchronize(self.event.0) }.result();
        }
    }
}
