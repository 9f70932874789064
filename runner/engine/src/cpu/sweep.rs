//! Sums over the taps of a window of products of pixels with matrices: convolution without columns.
//!
//! Each output pixel is one row of a tile, whose inputs are read where they lie. A row's sum runs over
//! taps and channels in an order that depends on the layer alone, never on the batch nor on the tile.

use super::packed::{Block, Packed};
use super::scratch::Shared;
use super::simd::{Inputs, Instructions, OutRows, Tiles, Weights};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a task. With more, what they read no longer stays in the second-level cache.
const ROWS: usize = 240;
/// Values that the rows of a task read of each tap where the sums are short.
const SHORT_VALUES: usize = 24 << 10;
/// Terms of a sum that are added before the next tile: their weights stay in the first-level cache.
const GROUP: usize = 384;
/// At least so many tasks where there are rows enough.
const TASKS: usize = 8;
/// Up to so many rows of pixels, tiles hold one pixel of several images, so that taps over padding drop out.
const SMALL: usize = 14;

/// One tap of a window.
#[derive(Debug, Clone, Copy)]
pub struct Tap {
    /// Its place among the packed weights.
    pub weights: usize,
    /// Rows and columns from the window's place to the tap.
    pub at: [isize; 2],
}

/// The images that are read.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Their values.
    pub values: &'a [f32],
    /// Height and width.
    pub size: [usize; 2],
    /// Values from one pixel to the next.
    pub pixel: usize,
    /// Values from one row to the next.
    pub line: usize,
    /// The first channel that is read.
    pub channel: usize,
    /// Pixels from one place of the window to the next.
    pub step: [usize; 2],
}

/// Where the sums go.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Height and width.
    pub size: [usize; 2],
    /// The pixel of the window's first place.
    pub first: [usize; 2],
    /// Pixels from one place of the window to the next.
    pub step: [usize; 2],
    /// Values from one pixel to the next.
    pub pixel: usize,
    /// The first channel that is written.
    pub channel: usize,
    /// Whether sums are added to what is there.
    pub add: bool,
}

/// What is done to sums as soon as they are there: given the place of the first among the values that
/// are written, their channels, and the sums, of one pixel or, where these are all channels, of several that
/// follow one another.
pub type Finish<'a> = dyn Fn(usize, Range<usize>, &mut [f32]) + Sync + 'a;

/// A window that goes over images.
pub struct Sweep<'a> {
    /// Images.
    pub batch: usize,
    /// Places of the window, down and across.
    pub grid: [usize; 2],
    /// Its taps.
    pub taps: Vec<Tap>,
    /// What is read.
    pub source: Source<'a>,
    /// What is written.
    pub target: Target,
    /// The weights.
    pub weights: &'a Packed,
}

/// One place of the window over one image.
struct Row {
    /// Where the pixel under a tap at (0, 0) begins.
    base: isize,
    /// That pixel.
    at: [isize; 2],
    /// Whether all taps are over pixels.
    inside: bool,
    /// Where the sums go.
    out: usize,
}

/// Some of the terms of each sum: some channels of one tap.
#[derive(Clone, Copy)]
struct Step {
    tap: Tap,
    from: usize,
    /// From the pixel at the window's place to the first value.
    distance: isize,
}

/// Steps of one length that a tile takes in one go.
struct Group {
    steps: Vec<Step>,
    length: usize,
}

/// A tile of rows, and what it sums.
struct Part<'a> {
    rows: &'a [Row],
    /// Whether all taps of all rows are over pixels.
    inside: bool,
    /// Its inputs, among those of the task.
    inputs: Range<usize>,
    /// The steps of the group that count, among those of the task; all of them where it is inside.
    steps: Range<usize>,
}

impl<'a> Part<'a> {
    fn new(rows: &'a [Row]) -> Self {
        Part { rows, inside: rows.iter().all(|row| row.inside), inputs: 0..0, steps: 0..0 }
    }
}

/// What all tiles of a task take of a group.
struct Taken<'a> {
    inputs: Inputs<'a>,
    steps: Vec<Step>,
}

impl Sweep<'_> {
    /// Writes all sums to `to`, and finishes them.
    pub fn run(&self, to: &mut [f32], finish: Option<&Finish>) {
        let rows = self.batch * self.grid[0] * self.grid[1];
        let blocks = &self.weights.blocks;
        if rows == 0 || blocks.is_empty() {
            return;
        }
        let line = self.line();
        let chunk = self.chunk(rows, line);
        let chunks = rows.div_ceil(chunk);
        // Where the rows are few, the columns are divided as well.
        let columns = blocks.len().div_ceil(TASKS.div_ceil(chunks));
        let parts = blocks.len().div_ceil(columns);
        let (groups, to) = (self.groups(), Shared::new(to));
        let task = |number: usize| {
            let (chunk_number, part) = (number % chunks, number / chunks);
            let blocks = &blocks[part * columns..((part + 1) * columns).min(blocks.len())];
            let rows = chunk_number * chunk..((chunk_number + 1) * chunk).min(rows);
            self.run_task(rows, line, blocks, &groups, &to, finish);
        };
        match chunks * parts {
            1 => task(0),
            tasks => (0..tasks).into_par_iter().for_each(task),
        }
    }

    /// Rows that follow one another and may share a tile.
    fn line(&self) -> usize {
        match self.grid {
            [1, 1] => usize::MAX,
            _ if self.is_small() => self.batch,
            [_, width] => width,
        }
    }

    fn is_small(&self) -> bool {
        self.grid[0] <= SMALL
    }

    /// Rows of a task, whole lines of them.
    fn chunk(&self, rows: usize, line: usize) -> usize {
        let inputs = self.weights.rows.max(1);
        let short = inputs * self.taps.len() < 256;
        let most = if short { (SHORT_VALUES / inputs).clamp(96, 960) } else { ROWS };
        let line = line.min(rows).min(most);
        let whole = |rows: usize| rows.div_ceil(line) * line;
        let mut chunk = whole(most);
        while rows.div_ceil(chunk) < TASKS && chunk >= 2 * line.max(12) {
            chunk = whole(chunk / 2);
        }
        chunk
    }

    fn groups(&self) -> Vec<Group> {
        let inputs = self.weights.rows;
        let parts = inputs.div_ceil(GROUP).max(1);
        let most = inputs.div_ceil(parts).max(1);
        let mut groups: Vec<Group> = Vec::new();
        let [down, across] = [self.source.line, self.source.pixel];
        for &tap in &self.taps {
            for from in (0..inputs).step_by(most) {
                let length = most.min(inputs - from);
                let distance = tap.at[0] * down as isize + tap.at[1] * across as isize + from as isize;
                let step = Step { tap, from, distance };
                match groups.last_mut() {
                    Some(last) if last.length == length && (last.steps.len() + 1) * length <= GROUP => {
                        last.steps.push(step);
                    }
                    _ => groups.push(Group { steps: vec![step], length }),
                }
            }
        }
        if groups.is_empty() {
            // Sums without terms are zeros.
            groups.push(Group { steps: Vec::new(), length: 1 });
        }
        groups
    }

    fn run_task(
        &self,
        numbers: Range<usize>,
        line: usize,
        blocks: &[Block],
        groups: &[Group],
        to: &Shared,
        finish: Option<&Finish>,
    ) {
        let first = numbers.start;
        let reach = self.reach();
        let rows = self.rows(numbers, &reach);
        let longest = groups.iter().map(|group| group.length).max().unwrap_or(0);
        let zeros = vec![0.0; longest];
        let tiles = Instructions::chosen().tiles();
        let mut heights: Vec<usize> = blocks.iter().map(|block| tiles.most_rows(block.vectors)).collect();
        heights.sort_unstable();
        heights.dedup();
        let mut taken = Taken { inputs: Inputs::new(1, 1), steps: Vec::new() };
        for most in heights {
            let mut parts: Vec<Part> =
                tiles_of(first, rows.len(), line, most).map(|tile| Part::new(&rows[tile])).collect();
            // What is read of the pixels stays in the second-level cache while it is read for each block.
            for (number, group) in groups.iter().enumerate() {
                taken.inputs.begin(group.length);
                taken.steps.clear();
                for part in &mut parts {
                    self.look(part, group, &zeros, &mut taken);
                }
                let add = self.target.add || number > 0;
                for &block in blocks.iter().filter(|block| tiles.most_rows(block.vectors) == most) {
                    let mut weights = Weights::new(block.vectors * tiles.lanes, group.length);
                    for part in &parts {
                        weights.clear();
                        let some = if part.inside { &group.steps } else { &taken.steps[part.steps.clone()] };
                        for step in some {
                            weights.push(self.weights.rows_from(block, step.tap.weights, step.from));
                        }
                        sum(tiles, part, &taken.inputs, &weights, block, to, add);
                    }
                }
            }
        }
        if let (Some(finish), [from, .., end] | [from @ end]) = (finish, blocks) {
            let channels = from.start..end.start + end.columns;
            let first = self.target.channel + channels.start;
            let pixel = self.target.pixel;
            let follows = |a: &Row, b: &Row| channels.len() == pixel && b.out == a.out + pixel;
            for run in rows.chunk_by(follows) {
                let start = run[0].out + channels.start;
                // SAFETY: as in `sum`; the tiles of this task are done.
                let sums = unsafe { to.slice(start, run.len() * channels.len()) };
                finish(start, first..first + channels.len(), sums);
            }
        }
    }

    /// The least and the largest row and column of the taps.
    fn reach(&self) -> [Range<isize>; 2] {
        [0, 1].map(|axis| {
            let along = || self.taps.iter().map(|tap| tap.at[axis]);
            along().min().unwrap_or(0)..along().max().unwrap_or(0)
        })
    }

    /// The rows of these numbers.
    fn rows(&self, numbers: Range<usize>, reach: &[Range<isize>; 2]) -> Vec<Row> {
        let Sweep { batch, grid, .. } = *self;
        let (small, first, places) = (self.is_small(), numbers.start, grid[0] * grid[1]);
        let (mut image, place) = if small { (first % batch, first / batch) } else { (first / places, first % places) };
        let (mut down, mut across) = (place / grid[1], place % grid[1]);
        // A division a row would take as long as the sums of a few channels.
        let mut rows = Vec::with_capacity(numbers.len());
        for _ in numbers {
            rows.push(self.row(image, [down, across], reach));
            if small {
                image += 1;
                if image < batch {
                    continue;
                }
                image = 0;
            }
            across += 1;
            if across == grid[1] {
                (across, down) = (0, down + 1);
            }
            if down == grid[0] && !small {
                (down, image) = (0, image + 1);
            }
        }
        rows
    }

    #[inline]
    fn row(&self, image: usize, [down, across]: [usize; 2], reach: &[Range<isize>; 2]) -> Row {
        let Sweep { source, target, .. } = self;
        let at = [(down * source.step[0]) as isize, (across * source.step[1]) as isize];
        let base = (image * source.size[0]) as isize + at[0];
        let base = base * source.line as isize + at[1] * source.pixel as isize + source.channel as isize;
        let inside = (0..2)
            .all(|axis| at[axis] + reach[axis].start >= 0 && at[axis] + reach[axis].end < source.size[axis] as isize);
        let out = [target.first[0] + down * target.step[0], target.first[1] + across * target.step[1]];
        let out = ((image * target.size[0] + out[0]) * target.size[1] + out[1]) * target.pixel + target.channel;
        Row { base, at, inside, out }
    }

    /// Finds what the taps of a group lie over; those over padding alone drop out.
    fn look<'a>(&'a self, part: &mut Part, group: &Group, zeros: &'a [f32], taken: &mut Taken<'a>) {
        let Taken { inputs, steps } = taken;
        let (first_input, first_step) = (inputs.len(), steps.len());
        for step in &group.steps {
            let before = inputs.len();
            let mut counts = false;
            for row in part.rows {
                if part.inside || self.is_over_pixel(row, step.tap) {
                    let start = (row.base + step.distance) as usize;
                    inputs.push(&self.source.values[start..start + group.length]);
                    counts = true;
                } else {
                    inputs.push(&zeros[..group.length]);
                }
            }
            if !counts {
                inputs.truncate(before);
            } else if !part.inside {
                steps.push(*step);
            }
        }
        part.inputs = first_input..inputs.len();
        part.steps = first_step..steps.len();
    }

    #[inline]
    fn is_over_pixel(&self, row: &Row, tap: Tap) -> bool {
        (0..2).all(|axis| {
            let at = row.at[axis] + tap.at[axis];
            at >= 0 && at < self.source.size[axis] as isize
        })
    }
}

/// Computes a block of columns of a tile.
#[inline]
fn sum(tiles: &Tiles, part: &Part, inputs: &Inputs, weights: &Weights, block: Block, to: &Shared, add: bool) {
    // SAFETY: a place of the window over an image is one row of one task, and each block of columns is of one
    // task too; within a task tiles come one after the other.
    let rows = part.rows.iter().map(|row| unsafe { to.slice(row.out + block.start, block.columns) });
    tiles.compute(inputs, part.inputs.clone(), weights, &mut OutRows::new(block.columns, rows), add);
}

/// Divides `count` rows, of which the first has the number `first`, into tiles of up to `most` rows
/// that end with a line, as even as can be within one.
fn tiles_of(first: usize, count: usize, line: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        if next >= count {
            return None;
        }
        let left = (count - next).min(line - (first + next) % line);
        let start = next;
        next += left.div_ceil(left.div_ceil(most));
        Some(start..next)
    })
}

#[cfg(test)]
mod tests {
    use super::tiles_of;

    #[test]
    fn tiles_cover_all_rows_and_end_with_lines() {
        let tiles: Vec<_> = tiles_of(0, 32, 16, 6).collect();
        assert_eq!(tiles, [0..6, 6..11, 11..16, 16..22, 22..27, 27..32]);
        let tiles: Vec<_> = tiles_of(10, 9, 16, 4).collect();
        assert_eq!(tiles, [0..3, 3..6, 6..9]);
        assert_eq!(tiles_of(0, 7, usize::MAX, 6).collect::<Vec<_>>(), [0..4, 4..7]);
    }
}
