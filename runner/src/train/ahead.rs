//! Images on their way to a device with memory of its own, while it computes what comes before them.

use crate::data::Batch;
use crate::engine::{EngineError, Kernels, Later, Room, Tensor};
use std::ops::Range;

/// Brings images to the device, at most those of one piece of a batch ahead.
pub struct Ahead<D: Kernels> {
    /// Whether anything is sent ahead.
    on: bool,
    sent: Option<Sent<D>>,
    /// Where the next piece can be sent.
    room: Option<Room<D>>,
    /// The most values that a piece had.
    most: usize,
}

/// Images that were sent.
struct Sent<D: Kernels> {
    samples: Vec<u64>,
    dims: [usize; 4],
    images: Later<Tensor<D>>,
}

/// Some rows of a batch.
pub type Rows<'b> = (&'b Batch, Range<usize>);

impl<D: Kernels> Ahead<D> {
    /// Sends nothing ahead: images go when they are needed.
    pub fn nothing() -> Self {
        Ahead { on: false, sent: None, room: None, most: 0 }
    }

    /// Sends images ahead if the device has memory of its own.
    pub fn to(device: &D) -> Self {
        let on = device.own_memory().is_some();
        #[cfg(test)]
        let on = on || tests::FORCED.get();
        Ahead { on, ..Ahead::nothing() }
    }

    /// Whether images are sent ahead.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// The images of a piece on the device: those that were sent, where they are its own. What is sent from now on waits
    /// for what the device was asked for so far, and for no more.
    pub fn images(&mut self, device: &D, piece: &Batch) -> Result<Tensor<D>, EngineError> {
        let sent = self.sent.take().filter(|sent| sent.dims == piece.dims && sent.samples == piece.samples);
        let images = match sent {
            Some(sent) => {
                #[cfg(test)]
                tests::ARRIVED.set(tests::ARRIVED.get() + 1);
                sent.images.get()?
            }
            None => Tensor::from_slice(device, &piece.images, &piece.dims)?,
        };
        self.most = self.most.max(images.len());
        if self.on && !self.room.as_ref().is_some_and(|room| room.holds(self.most)) {
            self.room = None;
            // Where there is none, the next piece goes when it is needed.
            self.room = Room::of(device, self.most).ok();
        }
        Ok(images)
    }

    /// Sends the images of the piece that is asked for next, if there is room for them.
    pub fn send(&mut self, (batch, rows): Rows<'_>) -> Result<(), EngineError> {
        let [_, height, width, channels] = batch.dims;
        let image = height * width * channels;
        let images = batch.images.get(rows.start * image..rows.end * image).unwrap_or_default();
        let Some(room) = self.room.take_if(|room| !images.is_empty() && room.holds(images.len())) else {
            return Ok(());
        };
        let (dims, samples) = ([rows.len(), height, width, channels], batch.samples[rows].to_vec());
        self.sent = Some(Sent { samples, dims, images: room.send(images, &dims)? });
        Ok(())
    }

    /// Takes back what was sent.
    pub fn forget(&mut self) {
        self.sent = None;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::engine::{Cpu, device::open_cpu};
    use std::cell::Cell;

    thread_local! {
        /// Images are sent ahead on the CPU too, for runs on this thread.
        pub static FORCED: Cell<bool> = const { Cell::new(false) };
        /// How many pieces had been sent when they were needed.
        pub static ARRIVED: Cell<usize> = const { Cell::new(0) };
    }

    /// What `run` gives with images that are sent ahead, and how many pieces were.
    pub fn forced<R>(run: impl FnOnce() -> R) -> (R, usize) {
        FORCED.set(true);
        ARRIVED.set(0);
        let ran = run();
        FORCED.set(false);
        (ran, ARRIVED.get())
    }

    /// Rows whose images are all the number of the row, from `first` on.
    fn batch(first: usize, rows: usize) -> Batch {
        Batch {
            images: (first..first + rows).flat_map(|row| [row as f32; 12]).collect(),
            dims: [rows, 2, 2, 3],
            labels: vec![0; rows],
            targets: vec![1.0; rows],
            samples: (first..first + rows).map(|row| row as u64).collect(),
            features: None,
        }
    }

    /// Whether the piece's images come to the device, and whether they had been sent.
    fn taken(ahead: &mut Ahead<Cpu>, piece: &Batch) -> bool {
        let before = ARRIVED.get();
        let images = ahead.images(&open_cpu().unwrap(), piece).unwrap();
        assert_eq!((images.to_vec(), images.dims()), (piece.images.clone(), &piece.dims[..]));
        ARRIVED.get() > before
    }

    #[test]
    fn a_piece_gets_its_own_images_whatever_was_sent() {
        let mut ahead = Ahead { on: true, ..Ahead::nothing() };
        let whole = batch(0, 5);
        // The first piece makes room for the next.
        ahead.send((&whole, 0..2)).unwrap();
        assert!(!taken(&mut ahead, &batch(0, 2)));
        ahead.send((&whole, 2..4)).unwrap();
        assert!(taken(&mut ahead, &batch(2, 2)));
        ahead.send((&whole, 4..5)).unwrap();
        assert!(taken(&mut ahead, &batch(4, 1)));
        // Room is as large as the largest.
        ahead.send((&batch(5, 4), 0..2)).unwrap();
        assert!(taken(&mut ahead, &batch(5, 2)));
        // Other rows, or another number of them, than were thought of.
        ahead.send((&whole, 0..2)).unwrap();
        assert!(!taken(&mut ahead, &batch(2, 2)));
        ahead.send((&whole, 0..2)).unwrap();
        assert!(!taken(&mut ahead, &batch(0, 5)));
        ahead.send((&whole, 0..5)).unwrap();
        ahead.forget();
        assert!(!taken(&mut ahead, &batch(0, 5)));
        // More than there is room for; and no images at all.
        ahead.send((&batch(0, 6), 0..6)).unwrap();
        assert!(!taken(&mut ahead, &batch(0, 6)));
        ahead.send((&Batch { images: Vec::new(), ..batch(0, 2) }, 0..2)).unwrap();
        assert!(!taken(&mut ahead, &batch(0, 2)));
    }

    #[test]
    fn on_the_cpu_nothing_is_sent() {
        let mut ahead = Ahead::to(&open_cpu().unwrap());
        assert!(!ahead.is_on());
        let whole = batch(0, 2);
        assert!(!taken(&mut ahead, &whole));
        ahead.send((&whole, 0..2)).unwrap();
        assert!(!taken(&mut ahead, &whole));
    }
}
