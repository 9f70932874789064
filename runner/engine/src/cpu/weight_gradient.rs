//! The gradient to the weights of a convolution: a sum over all pixels.
//!
//! Pixels are taken a chunk at a time. The inputs of a chunk are laid out in panels of as many channels
//! as a tile has rows, the gradients in panels as wide as a tile: then a tile reads both from end to end,
//! and a row of pixels is one run. Within a panel the images of a pixel follow one another, so that runs
//! are long where images are small; columns are ordered by their remainder by the stride, so that those
//! under one tap follow one another.

use super::packed::{Block, blocks, copy_columns};
use super::plane::Plane;
use super::scratch::{Scratch, Shared};
use super::simd::{Inputs, Instructions, OutRows, Tiles, Weights};
use super::split;
use super::wide::wide;
use rayon::prelude::*;
use std::ops::Range;

/// Output pixels of a chunk.
const PIXELS: usize = 768;
/// Up to so many weights, and from so many pixels on, the pixels are divided between tasks.
const FEW_WEIGHTS: usize = 1 << 18;
const MANY_PIXELS: usize = 2048;
/// The most sums that the pixels are divided between, and the most values that these have.
const PARTS: usize = 16;
const PART_VALUES: usize = 1 << 21;
/// At least so many tasks where the weights are divided between tasks.
const TASKS: usize = 16;

/// Some output pixels: some rows of some images.
#[derive(Debug, Clone)]
struct Chunk {
    images: Range<usize>,
    lines: Range<usize>,
}

/// How the pixels of a convolution are laid out.
struct Layout<'a> {
    plane: &'a Plane,
    tiles: &'static Tiles,
    blocks: Vec<Block>,
    /// Channels of a panel of inputs.
    channels: usize,
    /// The input columns that taps lie over, in the panels' order.
    columns: Vec<usize>,
    /// By tap across: the outputs where it lies over a pixel, and the place of the first such pixel.
    across: Vec<(Range<usize>, usize)>,
}

/// A chunk's inputs and gradients, in panels.
struct Panels<'a> {
    chunk: &'a Chunk,
    /// The input rows that taps lie over.
    rows: Vec<usize>,
    inputs: &'a [f32],
    gradients: &'a [f32],
}

/// What the weights of one tap sum over a chunk.
struct Sums<'a> {
    tap: usize,
    length: usize,
    inputs: Inputs<'a>,
    /// By panel: its channels, and its share of the inputs.
    panels: Vec<(Range<usize>, Range<usize>)>,
    /// By run of pixels: its first one among the gradients.
    gradients: Vec<usize>,
}

impl Plane {
    /// Adds the gradient to the weights to `gw`.
    pub fn add_weight_gradient(&self, x: &[f32], gy: &[f32], gw: &mut [f32]) {
        match self.row_by_row() {
            Some(rows) => rows.add_weight_gradient_as_is(&self.pad(x), gy, gw),
            None => self.add_weight_gradient_as_is(x, gy, gw),
        }
    }

    fn add_weight_gradient_as_is(&self, x: &[f32], gy: &[f32], gw: &mut [f32]) {
        let layout = Layout::new(self);
        let chunks = layout.chunks();
        let pixels = self.batch * self.output[0] * self.output[1];
        for group in 0..self.groups {
            if self.weights() <= FEW_WEIGHTS && pixels >= MANY_PIXELS {
                layout.by_pixels(group, &chunks, x, gy, gw);
            } else {
                layout.by_weights(group, &chunks, x, gy, gw);
            }
        }
    }
}

impl<'a> Layout<'a> {
    fn new(plane: &'a Plane) -> Self {
        let tiles = Instructions::chosen().tiles();
        let blocks = blocks(plane.outputs, tiles);
        let most = blocks.iter().map(|block| tiles.most_rows(block.vectors)).min().unwrap_or(1);
        let panels = plane.inputs.div_ceil(most).max(1);
        let under = |tap: usize| (0..plane.output[1]).filter_map(move |at| Some((at, plane.under(1, at, tap)?)));
        let mut columns: Vec<usize> =
            (0..plane.kernel[1]).flat_map(|tap| under(tap).map(|(_, column)| column)).collect();
        let order = |column: &usize| ((column + plane.before[1]) % plane.stride[1], *column);
        columns.sort_unstable_by_key(order);
        columns.dedup();
        let across = (0..plane.kernel[1]).map(|tap| {
            let (Some((first, column)), Some((last, _))) = (under(tap).next(), under(tap).next_back()) else {
                return (0..0, 0);
            };
            (first..last + 1, columns.iter().position(|&other| other == column).unwrap_or(0))
        });
        let across = across.collect();
        Layout { plane, tiles, blocks, channels: plane.inputs.div_ceil(panels).max(1), columns, across }
    }

    /// Rows of a large image, or several small images, about [`PIXELS`] a chunk.
    fn chunks(&self) -> Vec<Chunk> {
        let [height, width] = self.plane.output;
        let lines = (PIXELS / width.max(1)).clamp(1, height.max(1));
        let images = if lines == height { (PIXELS / (height * width).max(1)).max(1) } else { 1 };
        let ends = |count: usize, length: usize| {
            (0..count).step_by(length).map(move |start| start..(start + length).min(count))
        };
        let of_images =
            |images: Range<usize>| ends(height, lines).map(move |lines| Chunk { images: images.clone(), lines });
        ends(self.plane.batch, images).flat_map(of_images).collect()
    }

    /// The input rows that taps lie over.
    fn rows(&self, chunk: &Chunk) -> Vec<usize> {
        let taps = 0..self.plane.kernel[0];
        let under = |line| taps.clone().filter_map(move |tap| self.plane.under(0, line, tap));
        let mut rows: Vec<usize> = chunk.lines.clone().flat_map(under).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    fn panels(&self) -> usize {
        self.plane.inputs.div_ceil(self.channels)
    }

    /// Values of a panel of inputs over so many rows.
    fn input_panel(&self, chunk: &Chunk, rows: usize) -> usize {
        rows * self.columns.len() * chunk.images.len() * self.channels
    }

    /// Values of a panel of gradients, a vector wide.
    fn gradient_panel(&self, chunk: &Chunk) -> usize {
        chunk.images.len() * chunk.lines.len() * self.plane.output[1] * self.tiles.lanes
    }

    /// Vectors of all blocks.
    fn vectors(&self) -> usize {
        self.blocks.iter().map(|block| block.vectors).sum()
    }

    /// Each task has some of the pixels and a sum of its own; the sums are added in order.
    fn by_pixels(&self, group: usize, chunks: &[Chunk], x: &[f32], gy: &[f32], gw: &mut [f32]) {
        let len = gw.len();
        let parts = chunks.len().min((PART_VALUES / len.max(1)).clamp(1, PARTS));
        let length = chunks.len().div_ceil(parts.max(1)).max(1);
        let mut sums = Scratch::zeros(chunks.len().div_ceil(length) * len);
        split::chunks(&mut sums, len, |part, gw| {
            let gw = Shared::new(gw);
            for chunk in chunks.iter().skip(part * length).take(length) {
                self.chunk(group, chunk, x, gy, &gw);
            }
        });
        split::chunks(gw, split::ELEMENTS, |number, gw| {
            wide!({
                for sums in sums.chunks_exact(len) {
                    let sums = &sums[number * split::ELEMENTS..][..gw.len()];
                    gw.iter_mut().zip(sums).for_each(|(gw, sum)| *gw += sum);
                }
            });
        });
    }

    /// Packs a chunk and adds its share to all weights of a group.
    fn chunk(&self, group: usize, chunk: &Chunk, x: &[f32], gy: &[f32], gw: &Shared) {
        let rows = self.rows(chunk);
        let mut inputs = Scratch::new(self.panels() * self.input_panel(chunk, rows.len()));
        let mut gradients = Scratch::new(self.vectors() * self.gradient_panel(chunk));
        self.pack_inputs(group, chunk, &rows, x, 0, &mut inputs);
        for &block in &self.blocks {
            let start = block.start / self.tiles.lanes * self.gradient_panel(chunk);
            let panel = &mut gradients[start..start + block.vectors * self.gradient_panel(chunk)];
            self.pack_gradients(group, chunk, block, gy, panel);
        }
        let panels = Panels { chunk, rows, inputs: &inputs, gradients: &gradients };
        for tap in 0..self.plane.taps() {
            if let Some(sums) = self.sums(&panels, tap, 0..self.panels()) {
                for &block in &self.blocks {
                    self.add(group, &panels, block, &sums, gw);
                }
            }
        }
    }

    /// All pixels are packed first; each task has some of the weights.
    fn by_weights(&self, group: usize, chunks: &[Chunk], x: &[f32], gy: &[f32], gw: &mut [f32]) {
        let rows: Vec<Vec<usize>> = chunks.iter().map(|chunk| self.rows(chunk)).collect();
        let of_inputs = |(chunk, rows): (&Chunk, &Vec<usize>)| self.panels() * self.input_panel(chunk, rows.len());
        let mut inputs = Scratch::new(chunks.iter().zip(&rows).map(of_inputs).sum());
        let all = chunks.iter().map(|chunk| self.vectors() * self.gradient_panel(chunk)).sum();
        let mut gradients = Scratch::new(all);
        let mut jobs = Vec::new();
        let (mut inputs_left, mut gradients_left) = (&mut inputs[..], &mut gradients[..]);
        for (chunk, rows) in chunks.iter().zip(&rows) {
            for panel in 0..self.panels() {
                let (own, rest) = inputs_left.split_at_mut(self.input_panel(chunk, rows.len()));
                inputs_left = rest;
                jobs.push((chunk, rows, Err(panel), own));
            }
            for &block in &self.blocks {
                let (own, rest) = gradients_left.split_at_mut(block.vectors * self.gradient_panel(chunk));
                gradients_left = rest;
                jobs.push((chunk, rows, Ok(block), own));
            }
        }
        jobs.into_par_iter().for_each(|(chunk, rows, which, own)| match which {
            Ok(block) => self.pack_gradients(group, chunk, block, gy, own),
            Err(panel) => self.pack_inputs(group, chunk, rows, x, panel, own),
        });
        let (mut inputs, mut gradients) = (&inputs[..], &gradients[..]);
        let mut packed = Vec::new();
        for (chunk, rows) in chunks.iter().zip(rows) {
            let (of_inputs, rest) = inputs.split_at(self.panels() * self.input_panel(chunk, rows.len()));
            inputs = rest;
            let (of_gradients, rest) = gradients.split_at(self.vectors() * self.gradient_panel(chunk));
            gradients = rest;
            packed.push(Panels { chunk, rows, inputs: of_inputs, gradients: of_gradients });
        }
        let taps = self.plane.taps();
        let parts = TASKS.div_ceil(taps * self.blocks.len().max(1)).min(self.panels());
        let length = self.panels().div_ceil(parts.max(1)).max(1);
        let parts = self.panels().div_ceil(length);
        let gw = Shared::new(gw);
        (0..self.blocks.len() * taps * parts).into_par_iter().for_each(|task| {
            let (part, tap, block) = (task % parts, task / parts % taps, self.blocks[task / parts / taps]);
            let range = part * length..((part + 1) * length).min(self.panels());
            for panels in &packed {
                if let Some(sums) = self.sums(panels, tap, range.clone()) {
                    self.add(group, panels, block, &sums, &gw);
                }
            }
        });
    }

    /// Lays out panels of inputs, from panel `first` on, as many as there is room for.
    fn pack_inputs(&self, group: usize, chunk: &Chunk, rows: &[usize], x: &[f32], first: usize, panels: &mut [f32]) {
        let Plane { size, pixel, line, inputs, .. } = *self.plane;
        let length = self.input_panel(chunk, rows.len());
        let images = chunk.images.len();
        if length == 0 {
            return;
        }
        for (panel, packed) in panels.chunks_exact_mut(length).enumerate() {
            let start = (first + panel) * self.channels;
            let channels = self.channels.min(inputs - start);
            let mut at = 0;
            for &row in rows {
                for &column in &self.columns {
                    let place = (chunk.images.start * size[0] + row) * line + column * pixel;
                    let values = &x[place + group * inputs + start..];
                    let packed = &mut packed[at..at + images * self.channels];
                    copy_strided(values, size[0] * line, channels, packed, self.channels);
                    at += packed.len();
                }
            }
        }
    }

    /// Lays out a block's gradients; lanes to spare hold zeros.
    fn pack_gradients(&self, group: usize, chunk: &Chunk, block: Block, gy: &[f32], packed: &mut [f32]) {
        let Plane { output: [height, across], outputs, .. } = *self.plane;
        let (all, width) = (self.plane.all_outputs(), block.vectors * self.tiles.lanes);
        let images = chunk.images.len();
        let lines = chunk.lines.clone();
        for (place, packed) in packed.chunks_exact_mut(images * width).enumerate() {
            let place = (chunk.images.start * height + lines.start) * across + place;
            let values = &gy[place * all + group * outputs + block.start..];
            for (image, packed) in packed.chunks_exact_mut(width).enumerate() {
                let values = &values[image * height * across * all..][..block.columns];
                let (own, spare) = packed.split_at_mut(block.columns);
                copy_columns(own, values);
                spare.fill(0.0);
            }
        }
    }

    /// What the weights of one tap sum over a chunk: the terms of some panels of inputs, and where the
    /// gradients begin that belong to each run of pixels. `None` where the tap lies over padding alone.
    fn sums<'p>(&self, panels: &Panels<'p>, tap: usize, range: Range<usize>) -> Option<Sums<'p>> {
        let plane = self.plane;
        let (down, right) = (tap / plane.kernel[1], tap % plane.kernel[1]);
        let (outputs, column) = self.across[right].clone();
        let images = panels.chunk.images.len();
        // One run a row of outputs that the tap lies over pixels of.
        let runs: Vec<(usize, usize)> = (panels.chunk.lines.clone().enumerate())
            .filter_map(|(line, output)| {
                let row = panels.rows.binary_search(&plane.under(0, output, down)?).ok()?;
                let input = (row * self.columns.len() + column) * images * self.channels;
                Some((input, (line * plane.output[1] + outputs.start) * images))
            })
            .collect();
        if outputs.is_empty() || runs.is_empty() {
            return None;
        }
        let length = self.input_panel(panels.chunk, panels.rows.len());
        let of_run = outputs.len() * images;
        let mut inputs = Inputs::new(of_run, self.channels);
        let of_panel = |panel: usize| {
            let first = panel * self.channels;
            let channels = self.channels.min(plane.inputs - first);
            let values = &panels.inputs[panel * length..(panel + 1) * length];
            let before = inputs.len();
            for (input, _) in &runs {
                inputs.push_panel(channels, &values[*input..]);
            }
            (first..first + channels, before..inputs.len())
        };
        let of_panels = range.map(of_panel).collect();
        let gradients = runs.iter().map(|run| run.1).collect();
        Some(Sums { tap, length: of_run, inputs, panels: of_panels, gradients })
    }

    /// Adds the share of a chunk to a block's weights.
    fn add<'p>(&self, group: usize, panels: &Panels<'p>, block: Block, sums: &Sums<'p>, gw: &Shared) {
        let plane = self.plane;
        let width = block.vectors * self.tiles.lanes;
        let of_block = &panels.gradients[block.start / self.tiles.lanes * self.gradient_panel(panels.chunk)..];
        let mut weights = Weights::new(width, sums.length);
        sums.gradients.iter().for_each(|pixel| weights.push(&of_block[pixel * width..]));
        for (channels, inputs) in &sums.panels {
            let rows = channels.clone().map(|channel| {
                let row = (sums.tap * plane.inputs + channel) * plane.all_outputs();
                // SAFETY: a tap, an input channel and a block of outputs are of one task alone, and
                // within it tiles come one after the other.
                unsafe { gw.slice(row + group * plane.outputs + block.start, block.columns) }
            });
            let mut out = OutRows::new(block.columns, rows);
            self.tiles.compute(&sums.inputs, inputs.clone(), &weights, &mut out, true);
        }
    }
}

/// Copies `count` values from every `stride`th on to every `room`th of `to`.
#[inline]
fn copy_strided(from: &[f32], stride: usize, count: usize, to: &mut [f32], room: usize) {
    fn copy<const COUNT: usize>(from: &[f32], stride: usize, to: &mut [f32], room: usize) {
        for (number, to) in to.chunks_exact_mut(room).enumerate() {
            to[..COUNT].copy_from_slice(&from[number * stride..][..COUNT]);
        }
    }
    // Copies whose length the compiler knows are a few instructions.
    match count {
        6 => copy::<6>(from, stride, to, room),
        5 => copy::<5>(from, stride, to, room),
        4 => copy::<4>(from, stride, to, room),
        3 => copy::<3>(from, stride, to, room),
        _ => {
            for (number, to) in to.chunks_exact_mut(room).enumerate() {
                to[..count].copy_from_slice(&from[number * stride..][..count]);
            }
        }
    }
}
