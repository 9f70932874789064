//! The allocator of the program: what is large is kept when it is freed, for the next step.
//!
//! A training step frees as much as it allocates, in blocks of the same sizes as the step before. Fresh
//! memory costs many times what a pass over it costs, as the system clears each page when it is first
//! touched. So large blocks are cut from regions that stay with the program; what is freed is joined with
//! what is free beside it, and the smallest free block that is large enough is taken next. Small blocks are
//! the system allocator's.
//!
//! A program makes it its own by `#[global_allocator] static MEMORY: KeptMemory = KeptMemory;`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// From so many bytes on a block is large.
const LARGE: usize = 128 << 10;
/// Blocks are whole pages, so that none shares one with another.
const PAGE: usize = 4 << 10;
/// What the system is asked for at once, at least. What of it is never touched costs nothing.
const REGION: usize = 64 << 20;

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeptMemory;

static REGIONS: Mutex<Regions> = Mutex::new(Regions::new());

/// Gives back what is free, as far as whole regions are: between phases, whose tensors differ in size.
pub fn release() {
    regions().release();
}

/// Keeps nothing from now on: what is freed goes back to the system as soon as all of its region is. Slower,
/// but what is held is then what lives, whatever sizes there were before.
pub fn keep_nothing() {
    give_back_at_once();
    let mut regions = regions();
    regions.keeps = false;
    regions.release();
}

/// What the system's allocator frees goes back to the system, from 128 KiB on. Else glibc raises that bound to
/// the largest block that was freed, up to 32 MiB, and keeps what is smaller.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back_at_once() {
    use std::ffi::c_int;
    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }
    // `M_MMAP_THRESHOLD` in malloc.h.
    const MMAP_THRESHOLD: c_int = -3;
    // SAFETY: glibc's own function, by its own signature; it only sets how later blocks are allocated.
    unsafe { mallopt(MMAP_THRESHOLD, LARGE as c_int) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back_at_once() {}

fn regions() -> MutexGuard<'static, Regions> {
    // Nothing under the lock panics half way.
    REGIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= PAGE
}

fn whole_pages(size: usize) -> usize {
    size.next_multiple_of(PAGE)
}

// SAFETY: a layout alone decides whose a block is, so that it goes back where it came from. Blocks in use
// never overlap, are as long as asked for, and begin with a page.
unsafe impl GlobalAlloc for KeptMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            return regions().take(whole_pages(layout.size()));
        }
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_large(layout) {
            // SAFETY: as above.
            return unsafe { System.alloc_zeroed(layout) };
        }
        let block = regions().take(whole_pages(layout.size()));
        if !block.is_null() {
            // SAFETY: the block is at least as long as that.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_large(layout) {
            return regions().give(block, whole_pages(layout.size()));
        }
        // SAFETY: the block is `System`'s, since its layout is that of a small one.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that it is one.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (is_large(layout), is_large(wanted)) {
            // SAFETY: the block is `System`'s and stays with it.
            (false, false) => unsafe { System.realloc(block, layout, size) },
            (true, true) if whole_pages(layout.size()) == whole_pages(size) => block,
            _ => {
                // SAFETY: both blocks hold the smaller of the two sizes; the old one is given back as it came.
                unsafe {
                    let moved = self.alloc(wanted);
                    if !moved.is_null() {
                        moved.copy_from_nonoverlapping(block, size.min(layout.size()));
                        self.dealloc(block, layout);
                    }
                    moved
                }
            }
        }
    }
}

/// What the system has given, and what of it is free. Places are addresses.
struct Regions {
    /// Where each begins, and its bytes.
    all: BTreeMap<usize, (*mut u8, usize)>,
    /// Where each free block begins, and its bytes. No two are side by side within a region.
    free: BTreeMap<usize, usize>,
    /// Bytes and beginning of each.
    by_size: BTreeSet<(usize, usize)>,
    /// Whether what is free stays.
    keeps: bool,
}

// SAFETY: the pointers are to memory that is nobody's but the table's.
unsafe impl Send for Regions {}

impl Regions {
    const fn new() -> Self {
        Regions { all: BTreeMap::new(), free: BTreeMap::new(), by_size: BTreeSet::new(), keeps: true }
    }

    /// A block of so many bytes, whole pages; null if the system has no more.
    fn take(&mut self, bytes: usize) -> *mut u8 {
        let fits = |table: &Self| table.by_size.range((bytes, 0)..).next().copied();
        let Some((found, start)) = fits(self).or_else(|| self.grow(bytes)) else { return std::ptr::null_mut() };
        self.remove(start, found);
        if found > bytes {
            self.insert(start + bytes, found - bytes);
        }
        self.pointer(start)
    }

    /// Asks the system for a region with room for so many bytes.
    fn grow(&mut self, bytes: usize) -> Option<(usize, usize)> {
        let size = if self.keeps { bytes.max(REGION) } else { bytes };
        let layout = Layout::from_size_align(size, PAGE).ok()?;
        // SAFETY: the size is not zero.
        let first = unsafe { System.alloc(layout) };
        if first.is_null() {
            return None;
        }
        self.all.insert(first.addr(), (first, size));
        self.insert(first.addr(), size);
        Some((size, first.addr()))
    }

    /// Takes a block back.
    fn give(&mut self, block: *mut u8, bytes: usize) {
        let (mut start, mut bytes) = (block.addr(), bytes);
        // Regions may lie side by side; blocks are joined within one.
        let end_of_region = self.region(start).map_or(start, |(first, size)| first.addr() + size);
        if start + bytes < end_of_region
            && let Some(&after) = self.free.get(&(start + bytes))
        {
            self.remove(start + bytes, after);
            bytes += after;
        }
        let is_first = self.all.contains_key(&start);
        if let Some((before, size)) = self.free.range(..start).next_back().map(|(&before, &size)| (before, size))
            && before + size == start
            && !is_first
        {
            self.remove(before, size);
            start = before;
            bytes += size;
        }
        self.insert(start, bytes);
        if !self.keeps && self.all.get(&start).is_some_and(|&(_, size)| size == bytes) {
            self.release_region(start);
        }
    }

    fn release(&mut self) {
        let is_free = |(start, region): (&usize, &(*mut u8, usize))| self.free.get(start) == Some(&region.1);
        let unused: Vec<usize> = self.all.iter().filter(|&region| is_free(region)).map(|(&start, _)| start).collect();
        for start in unused {
            self.release_region(start);
        }
    }

    /// Gives back a region all of which is free.
    fn release_region(&mut self, start: usize) {
        let Some((first, size)) = self.all.remove(&start) else { return };
        self.remove(start, size);
        if let Ok(layout) = Layout::from_size_align(size, PAGE) {
            // SAFETY: it came by this layout, all of it is free, and no table names it any more.
            unsafe { System.dealloc(first, layout) };
        }
    }

    /// The region that a place is in.
    fn region(&self, place: usize) -> Option<(*mut u8, usize)> {
        self.all.range(..=place).next_back().map(|(_, &region)| region)
    }

    fn pointer(&self, place: usize) -> *mut u8 {
        self.region(place).map_or(std::ptr::null_mut(), |(first, _)| first.with_addr(place))
    }

    fn insert(&mut self, start: usize, bytes: usize) {
        self.free.insert(start, bytes);
        self.by_size.insert((bytes, start));
    }

    fn remove(&mut self, start: usize, bytes: usize) {
        self.free.remove(&start);
        self.by_size.remove(&(bytes, start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::random::{Key, Purpose};

    /// All blocks are apart, and free and used ones fill the regions.
    fn check(regions: &Regions, used: &[(*mut u8, usize)]) {
        let free = regions.free.iter().map(|(&start, &bytes)| (start, bytes));
        let mut blocks: Vec<(usize, usize)> =
            used.iter().map(|(first, bytes)| (first.addr(), *bytes)).chain(free).collect();
        blocks.sort_unstable();
        assert!(blocks.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
        let total: usize = blocks.iter().map(|block| block.1).sum();
        assert_eq!(total, regions.all.values().map(|region| region.1).sum::<usize>());
        assert_eq!(regions.free.len(), regions.by_size.len());
    }

    #[test]
    fn blocks_are_apart_whole_and_used_again() {
        let mut regions = Regions::new();
        let mut stream = Key::new(3, Purpose::Init).stream();
        let mut used: Vec<(*mut u8, usize)> = Vec::new();
        for round in 0..2000 {
            if used.is_empty() || stream.below(5) < 3 && round < 1500 {
                let bytes = whole_pages(LARGE + stream.below(40 << 20));
                let block = regions.take(bytes);
                assert!(!block.is_null() && block.addr().is_multiple_of(PAGE));
                used.push((block, bytes));
            } else {
                let (block, bytes) = used.swap_remove(stream.below(used.len()));
                regions.give(block, bytes);
            }
            if round % 50 == 0 {
                check(&regions, &used);
            }
        }
        for (block, bytes) in used.drain(..) {
            regions.give(block, bytes);
        }
        check(&regions, &used);
        assert_eq!(regions.free.len(), regions.all.len());
        regions.release();
        assert!(regions.all.is_empty() && regions.free.is_empty());
    }

    #[test]
    fn a_step_like_the_one_before_asks_for_nothing() {
        let mut regions = Regions::new();
        let sizes = [51 << 20, 12 << 20, 12 << 20, 400 << 10, 51 << 20, 1 << 20];
        let mut step = || {
            let blocks: Vec<_> = sizes.iter().map(|&bytes| (regions.take(bytes), bytes)).collect();
            blocks.into_iter().rev().for_each(|(block, bytes)| regions.give(block, bytes));
            regions.all.len()
        };
        let first = step();
        assert_eq!(step(), first);
        regions.release();
    }

    #[test]
    fn where_nothing_is_kept_it_goes_back_at_once() {
        let mut regions = Regions { keeps: false, ..Regions::new() };
        let block = regions.take(LARGE);
        assert_eq!(regions.all.len(), 1);
        regions.give(block, LARGE);
        assert!(regions.all.is_empty() && regions.free.is_empty() && regions.by_size.is_empty());
    }

    #[test]
    fn blocks_keep_their_values_when_they_grow() {
        let memory = KeptMemory;
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        // SAFETY: blocks are used within their layouts, and given back by these.
        unsafe {
            let mut block = memory.alloc_zeroed(layout(100));
            let mut size = 100;
            for next in [LARGE - 1, LARGE, LARGE + 1, 3 * LARGE, 40 << 20, LARGE, 50] {
                let kept = size.min(next);
                block.write_bytes(7, size);
                block = memory.realloc(block, layout(size), next);
                assert!((0..kept).all(|at| block.add(at).read() == 7));
                size = next;
            }
            memory.dealloc(block, layout(size));
            let zeros = memory.alloc_zeroed(layout(2 * LARGE));
            assert!((0..2 * LARGE).all(|at| zeros.add(at).read() == 0));
            memory.dealloc(zeros, layout(2 * LARGE));
        }
    }
}
