//! Pooling, by windows and by cells.

use super::super::cells::{Axis, Cells};
use super::super::slide::Slide;
use super::super::{Cuda, EngineError, Result, Tape, Tensor, Window};
use super::buffer::{Slot, named, written};
use super::geometry::Geometry;
use super::gpu::{Argument, Place, Run, gpu};
use cudarc::driver::CudaSlice;

/// See [`super::super::Kernels::max_pool`].
pub fn max_pool(tape: &mut Tape<Cuda>, x: &Tensor<Cuda>, window: &Window) -> Result<Tensor<Cuda>> {
    let slide = Slide::new("max_pool", x.dims(), window)?;
    if !slide.always_over_pixels() || slide.taps() > usize::from(u16::MAX) {
        let shapes = vec![x.dims().to_vec(), window.kernel.to_vec()];
        return Err(EngineError::Shapes { operation: "max_pool", shapes });
    }
    let dims = [slide.batch, slide.output[0], slide.output[1], slide.channels];
    let len: usize = dims.iter().product();
    let recorded = tape.records(&[x]);
    let taps = if recorded { Some(named("max_pool", gpu().and_then(|gpu| gpu.room_of::<u16>(len)))?) } else { None };
    let geometry = Geometry::of_slide(&slide);
    let wide = slide.channels.is_multiple_of(4);
    let width = if wide { 4 } else { 1 };
    let y = written("max_pool", x.device(), &dims, |gpu, y| {
        let operands = [y.into(), Place::of_any(taps.as_ref()).into(), x.place()?.into(), geometry.into()];
        gpu.each(if wide { "max_pool4" } else { "max_pool1" }, len / width, &operands)
    })?;
    let Some(taps) = taps else { return Ok(y) };
    let (of_x, inputs) = (Slot::of(x), x.len());
    let (y, of_y) = y.recorded();
    tape.push(move |flow| {
        let gy = of_y.take()?;
        of_x.write(flow, |gx, add| {
            let operands = [gx.into(), Place::of(&gy).into(), Place::of(&taps).into(), geometry.into(), add.into()];
            gpu()?.each(if wide { "max_pool_input4" } else { "max_pool_input1" }, inputs / width, &operands)
        })
    });
    Ok(y)
}

/// See [`super::super::Kernels::avg_pool`].
pub fn avg_pool(tape: &mut Tape<Cuda>, x: &Tensor<Cuda>, window: &Window, count_padding: bool) -> Result<Tensor<Cuda>> {
    means(tape, x, &Cells::of_window(x.dims(), window, count_padding)?)
}

/// See [`super::super::Kernels::adaptive_avg_pool`].
pub fn adaptive_avg_pool(tape: &mut Tape<Cuda>, x: &Tensor<Cuda>, output: [usize; 2]) -> Result<Tensor<Cuda>> {
    means(tape, x, &Cells::of_grid(x.dims(), output)?)
}

fn means(tape: &mut Tape<Cuda>, x: &Tensor<Cuda>, cells: &Cells) -> Result<Tensor<Cuda>> {
    let tables = named("avg_pool", Tables::new(cells))?;
    let len = cells.dims().iter().product();
    let y = written("avg_pool", x.device(), &cells.dims(), |gpu, y| {
        let [rows, columns] = tables.axes();
        gpu.each("mean_cells", len, &[y.into(), x.place()?.into(), rows, columns, tables.numbers])
    })?;
    if !tape.records(&[x]) {
        return Ok(y);
    }
    let (of_x, inputs) = (Slot::of(x), x.len());
    let (y, of_y) = y.recorded();
    tape.push(move |flow| {
        let gy = of_y.take()?;
        of_x.write(flow, |gx, add| {
            let [rows, columns] = tables.axes();
            let reach = Place::of(&tables.reach).into();
            let operands = [gx.into(), Place::of(&gy).into(), rows, columns, reach, tables.numbers, add.into()];
            gpu()?.each("mean_cells_input", inputs, &operands)
        })
    });
    Ok(y)
}

/// Cells as the kernels take them.
struct Tables {
    rows: CudaSlice<i32>,
    columns: CudaSlice<i32>,
    /// Of each row, then of each column of the input: the first cell that may have it, and one past the last.
    reach: CudaSlice<i32>,
    numbers: Argument,
}

impl Tables {
    fn new(cells: &Cells) -> Run<Self> {
        let gpu = gpu()?;
        let [rows, columns] = &cells.axes;
        let reach = [reach(rows, cells.size[0]), reach(columns, cells.size[1])].concat();
        let [height, width] = cells.size;
        let mut numbers = [0; 16];
        let counts = [cells.batch, height, width, cells.channels, rows.len(), columns.len(), step(rows), step(columns)];
        for (number, count) in numbers.iter_mut().zip(counts.into_iter().chain(cells.divisor)) {
            *number = count as i32;
        }
        let numbers = Argument::Ints(numbers);
        Ok(Tables {
            rows: gpu.copied(ranges(rows))?,
            columns: gpu.copied(ranges(columns))?,
            reach: gpu.copied(reach)?,
            numbers,
        })
    }

    fn axes(&self) -> [Argument; 2] {
        [Place::of(&self.rows).into(), Place::of(&self.columns).into()]
    }
}

/// The first coordinate of each cell, and how many there are.
fn ranges(axis: &Axis) -> Vec<i32> {
    axis.iter().flat_map(|cell| [cell.first().copied().unwrap_or(0) as i32, cell.len() as i32]).collect()
}

/// How far the coordinates of a cell are apart.
fn step(axis: &Axis) -> usize {
    axis.iter().find_map(|cell| Some(cell.get(1)? - cell.first()?)).unwrap_or(1)
}

fn reach(axis: &Axis, size: usize) -> Vec<i32> {
    let mut reach = vec![[i32::MAX, 0]; size];
    for (number, cell) in axis.iter().enumerate() {
        for &at in cell {
            let [first, end] = &mut reach[at];
            *first = (*first).min(number as i32);
            *end = number as i32 + 1;
        }
    }
    reach.into_iter().flatten().collect()
}
