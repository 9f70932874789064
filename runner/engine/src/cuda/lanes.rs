//! How blocks of threads lie over rows of channels.

/// Threads of a block.
const THREADS: usize = 256;
/// Blocks that fill a card, roughly.
const BLOCKS: usize = 1024;

/// Blocks of lanes of channels by rows.
#[derive(Debug, Clone, Copy)]
pub struct Lanes {
    /// Channels a thread has: 4 or 1.
    pub width: usize,
    /// Lanes and rows of a block; the rows are a power of two.
    pub threads: [usize; 2],
    /// Blocks along channels, and along rows.
    pub blocks: [usize; 2],
}

impl Lanes {
    /// Blocks over a matrix; along rows, each has at least `least` rows for a thread to walk over.
    pub fn over(rows: usize, channels: usize, least: usize) -> Self {
        let width = if channels.is_multiple_of(4) { 4 } else { 1 };
        let lanes = channels / width;
        let across = lanes.next_power_of_two().min(64);
        let down = THREADS / across;
        let blocks = lanes.div_ceil(across);
        let splits = (BLOCKS / blocks).max(1).min(rows.div_ceil(down * least)).max(1);
        Lanes { width, threads: [across, down], blocks: [blocks, splits] }
    }

    /// Parts that sums over rows are taken in.
    pub fn splits(&self) -> usize {
        self.blocks[1]
    }

    /// The grid.
    pub fn grid(&self, depth: usize) -> [usize; 3] {
        [self.blocks[0], self.blocks[1], depth]
    }

    /// Bytes for so many sums of each of a thread's channels.
    pub fn shared(&self, sums: usize) -> usize {
        THREADS * sums * self.width * size_of::<f32>()
    }

    /// The kernel's name with its width.
    pub fn named(&self, kernel: [&'static str; 2]) -> &'static str {
        kernel[usize::from(self.width == 4)]
    }
}
