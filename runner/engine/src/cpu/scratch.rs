//! Memory that kernels work in.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Numbers in a line of the cache: vectors that begin with one never lie across two.
const LINE: usize = 16;

thread_local! {
    static KEPT: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Memory that its thread keeps for the next kernel when it is dropped. What is in it at first is left
/// from earlier uses.
pub struct Scratch {
    values: Vec<f32>,
    start: usize,
    len: usize,
    lasts: bool,
}

impl Scratch {
    /// So many numbers, from the start of a line of the cache on.
    pub fn new(len: usize) -> Self {
        let needed = len + LINE;
        let mut values = KEPT.with_borrow_mut(|kept| {
            // The smallest that is large enough, else the largest.
            let fits = |vector: &Vec<f32>| (vector.len() < needed, vector.len().abs_diff(needed));
            let best = kept.iter().enumerate().min_by_key(|(_, vector)| fits(vector)).map(|(place, _)| place);
            best.map(|place| kept.swap_remove(place)).unwrap_or_default()
        });
        if values.len() < needed {
            values = vec![0.0; needed];
        }
        Scratch::of(values, len)
    }

    /// So many numbers that outlast the kernel. No thread keeps their memory afterwards.
    pub fn lasting(len: usize) -> Self {
        let mut scratch = Scratch::of(vec![0.0; len + LINE], len);
        scratch.lasts = true;
        scratch
    }

    fn of(values: Vec<f32>, len: usize) -> Self {
        let start = values.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        Scratch { values, start, len, lasts: false }
    }

    /// So many zeros.
    pub fn zeros(len: usize) -> Self {
        let mut scratch = Scratch::new(len);
        scratch.fill(0.0);
        scratch
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..self.start + self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..self.start + self.len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.lasts {
            return;
        }
        let values = std::mem::take(&mut self.values);
        // A thread that ends keeps nothing.
        let _ = KEPT.try_with(|kept| kept.borrow_mut().push(values));
    }
}

/// Values that several tasks write to at once, each in places of its own.
pub struct Shared<'a> {
    first: *mut f32,
    len: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a `&mut [f32]`, which can be sent and shared; who takes slices of it promises that they
// are apart.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Shares the values.
    pub fn new(values: &'a mut [f32]) -> Self {
        Shared { first: values.as_mut_ptr(), len: values.len(), borrowed: PhantomData }
    }

    /// Some of the values.
    ///
    /// # Safety
    /// No two slices that are in use at once overlap.
    #[inline]
    pub unsafe fn slice(&self, start: usize, len: usize) -> &'a mut [f32] {
        assert!(len <= self.len && start <= self.len - len);
        // SAFETY: it lies within the values, which are borrowed mutably for 'a; the caller promises
        // that nothing else of it is in use.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(start), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_begins_with_a_line_and_is_used_again() {
        let first = Scratch::zeros(1000);
        let address = first.as_ptr();
        assert!(address.addr().is_multiple_of(64) && first.len() == 1000);
        drop(first);
        let again = Scratch::new(900);
        assert!(again.as_ptr() == address && again.len() == 900);
        let other = Scratch::new(900);
        assert!(other.as_ptr() != address);
    }
}
