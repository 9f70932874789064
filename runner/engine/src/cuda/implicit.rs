//! Convolution as a product of matrices one of which is never laid out: see implicit.cu.

use super::super::Precision;
use super::super::slide::Convolution;
use super::concat::{Columns, move_columns};
use super::geometry::Geometry;
use super::gpu::{Gpu, Place, Run, Values};

/// Rows of a tile.
const ROWS: usize = 128;
/// Values that a tile is deep.
const DEPTH: usize = 32;
/// Stages of tiles in shared memory.
const STAGES: usize = 3;
/// With fewer blocks than this, they are made smaller.
const FEWEST: usize = 64;
/// Blocks that fill a card, roughly.
const BLOCKS: usize = 264;

/// A convolution by tiles.
#[derive(Debug, Clone, Copy)]
pub struct Implicit {
    /// With as many channels as are computed.
    conv: Convolution,
    /// Channels of the images; those that are computed besides are zeros.
    inputs: usize,
}

/// Values with as many channels as are computed.
struct Wide {
    place: Place,
    _memory: Option<Values>,
}

/// The first values of each row, or they are added.
fn narrow(gpu: &Gpu, to: Place, from: Place, rows: usize, [width, wide]: [usize; 2], add: bool) -> Run<()> {
    let columns = |place: Place, width: usize| Columns { place, width, begin: 0 };
    move_columns(gpu, columns(to, width), columns(from, wide), rows, width, add)
}

/// A kernel, and how it is cut into tiles.
struct Tiles {
    name: &'static str,
    grid: [usize; 3],
    shared: usize,
}

impl Implicit {
    /// Where tiles can be fetched: the channels of a pixel all see each other, and can be taken in fours.
    pub fn of(conv: &Convolution) -> Option<Self> {
        let pixels = conv.slide.batch * (conv.slide.size[0] * conv.slide.size[1]).max(conv.slide.pixels());
        let fits = conv.groups == 1 && conv.outputs.is_multiple_of(4);
        let (mut wide, inputs) = (*conv, conv.slide.channels);
        wide.slide.channels = inputs.next_multiple_of(4);
        (fits && u16::try_from(pixels.div_ceil(ROWS)).is_ok()).then_some(Implicit { conv: wide, inputs })
    }

    /// `y` is the convolution of `x`, or it is added.
    pub fn forward(&self, gpu: &Gpu, x: Place, weight: Place, y: Place, add: bool) -> Run<()> {
        let names = ["conv_forward128", "conv_forward64", "conv_forward64_exact"];
        let tiles = tiles(gpu, names, self.conv.slide.rows(), self.conv.outputs, false, true);
        let (x, weight) = (self.wide_images(gpu, x)?, self.wide_weights(gpu, weight)?);
        self.launch(gpu, &tiles, [y, x.place, weight.place], 0, add)
    }

    /// `gx` is the gradient to the input, or it is added.
    pub fn input_gradient(&self, gpu: &Gpu, weight: Place, gy: Place, gx: Place, add: bool) -> Run<()> {
        let names = ["conv_input128", "conv_input64", "conv_input64_exact"];
        let mut tiles = tiles(gpu, names, self.pixels(), self.conv.slide.channels, true, true);
        // With a stride, pixels fall into classes, of which each is under some of the taps alone.
        let window = &self.conv.slide.window;
        let apart = [0, 1].map(|axis| if window.dilation[axis] == 1 { window.stride[axis] } else { 1 });
        let of_class = [0, 1].map(|axis| self.conv.slide.size[axis].div_ceil(apart[axis]));
        tiles.grid[1] = (self.conv.slide.batch * of_class[0] * of_class[1]).div_ceil(ROWS);
        tiles.grid[2] = apart[0] * apart[1];
        let weight = self.wide_weights(gpu, weight)?;
        if self.is_exact() {
            return self.launch(gpu, &tiles, [gx, gy, weight.place], 0, add);
        }
        let wide = gpu.room(self.pixels() * self.conv.slide.channels)?;
        self.launch(gpu, &tiles, [Place::of(&wide), gy, weight.place], 0, false)?;
        let widths = [self.inputs, self.conv.slide.channels];
        narrow(gpu, gx, Place::of(&wide), self.pixels(), widths, add)
    }

    /// Adds to the gradient of the weights.
    pub fn add_weight_gradient(&self, gpu: &Gpu, x: Place, gy: Place, gw: Place) -> Run<()> {
        let x = self.wide_images(gpu, x)?;
        if self.is_exact() {
            return self.add_wide_weight_gradient(gpu, x.place, gy, gw);
        }
        let (taps, outputs) = (self.conv.slide.taps(), self.conv.outputs);
        let len = taps * self.conv.slide.channels * outputs;
        let wide = gpu.room(len)?;
        gpu.clear(Place::of(&wide), len)?;
        self.add_wide_weight_gradient(gpu, x.place, gy, Place::of(&wide))?;
        let widths = [self.inputs * outputs, self.conv.slide.channels * outputs];
        narrow(gpu, gw, Place::of(&wide), taps, widths, true)
    }

    /// The sum over pixels is taken in parts.
    fn add_wide_weight_gradient(&self, gpu: &Gpu, x: Place, gy: Place, gw: Place) -> Run<()> {
        let names = ["conv_weight128", "conv_weight64", "conv_weight64_exact"];
        let (rows, pixels) = (self.conv.slide.taps() * self.conv.slide.channels, self.conv.slide.rows());
        let mut tiles = tiles(gpu, names, rows, self.conv.outputs, false, false);
        let splits = (2 * BLOCKS / (tiles.grid[0] * tiles.grid[1])).clamp(1, pixels.div_ceil(8 * DEPTH).max(1));
        let chunk = pixels.div_ceil(splits).next_multiple_of(DEPTH);
        tiles.grid[2] = pixels.div_ceil(chunk);
        if tiles.grid[2] <= 1 {
            return self.launch(gpu, &tiles, [gw, x, gy], chunk, true);
        }
        let len = rows * self.conv.outputs;
        let parts = gpu.room(tiles.grid[2] * len)?;
        self.launch(gpu, &tiles, [Place::of(&parts), x, gy], chunk, false)?;
        let operands = [gw.into(), Place::of(&parts).into(), (tiles.grid[2] as i32).into(), len.into(), true.into()];
        gpu.each("join_parts", len, &operands)
    }

    fn is_exact(&self) -> bool {
        self.inputs == self.conv.slide.channels
    }

    /// Pixels of the images.
    fn pixels(&self) -> usize {
        self.conv.slide.batch * self.conv.slide.size[0] * self.conv.slide.size[1]
    }

    fn wide_images(&self, gpu: &Gpu, x: Place) -> Run<Wide> {
        self.wide(gpu, x, self.pixels(), 1)
    }

    fn wide_weights(&self, gpu: &Gpu, weight: Place) -> Run<Wide> {
        self.wide(gpu, weight, self.conv.slide.taps(), self.conv.outputs)
    }

    /// Rows of so many values a channel, with zeros for the channels that are computed besides.
    fn wide(&self, gpu: &Gpu, from: Place, rows: usize, values: usize) -> Run<Wide> {
        if self.is_exact() {
            return Ok(Wide { place: from, _memory: None });
        }
        let [width, wide] = [self.inputs, self.conv.slide.channels].map(|channels| channels * values);
        let memory = gpu.room(rows * wide)?;
        let numbers = [(rows * wide).into(), (width as i32).into(), (wide as i32).into()];
        gpu.each("widen", rows * wide, &[&[Place::of(&memory).into(), from.into()][..], &numbers].concat())?;
        Ok(Wide { place: Place::of(&memory), _memory: Some(memory) })
    }

    fn launch(&self, gpu: &Gpu, tiles: &Tiles, places: [Place; 3], chunk: usize, add: bool) -> Run<()> {
        let numbers = [Geometry::of(&self.conv).into(), (chunk as i32).into(), add.into()];
        let operands = [&places.map(Into::into)[..], &numbers].concat();
        gpu.launch(tiles.name, tiles.grid, [256, 1], tiles.shared, &operands)
    }
}

/// Tiles over a product of so many rows and columns. `by_depth` says whether the right factor lies with its depth innermost,
/// `fill` whether tiles are of 64 columns where those of 128 would not fill the card.
fn tiles(
    gpu: &Gpu,
    [wide, narrow, exact]: [&'static str; 3],
    rows: usize,
    columns: usize,
    by_depth: bool,
    fill: bool,
) -> Tiles {
    let shared = |width: usize| {
        let right = if by_depth { width * (DEPTH + 4) } else { DEPTH * (width + 8) };
        STAGES * (ROWS * (DEPTH + 4) + right) * size_of::<f32>()
    };
    let down = rows.div_ceil(ROWS);
    let few = columns <= 64 || (fill && down * columns.div_ceil(128) < FEWEST) || shared(128) > gpu.shared;
    let (name, width) = match Precision::chosen() {
        Precision::F32 => (exact, 64),
        Precision::Tf32 if few => (narrow, 64),
        Precision::Tf32 => (wide, 128),
    };
    Tiles { name, grid: [columns.div_ceil(width), down, 1], shared: shared(width) }
}
