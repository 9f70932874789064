//! Images brought to a multiple of their size.

use super::super::resample::{Interpolation, Pair, Resample};
use super::super::{Cuda, Result, Tape, Tensor};
use super::buffer::{Slot, named, written};
use super::gpu::{Argument, Place, gpu};
use cudarc::driver::DeviceRepr;

/// As `Pair` in pool.cu.
#[repr(C)]
struct Places {
    first: i32,
    second: i32,
    of_first: f32,
    of_second: f32,
}

// SAFETY: numbers of four bytes, without gaps.
unsafe impl DeviceRepr for Places {}

/// See [`super::super::Kernels::upsample`].
pub fn upsample(
    tape: &mut Tape<Cuda>,
    x: &Tensor<Cuda>,
    factor: [usize; 2],
    interpolation: Interpolation,
) -> Result<Tensor<Cuda>> {
    let resample = Resample::new(x.dims(), factor, interpolation)?;
    let table = |axis: &[Pair]| gpu()?.copied(axis.iter().map(places).collect());
    let rows = named("upsample", table(&resample.axes[0]))?;
    let columns = named("upsample", table(&resample.axes[1]))?;
    let mut numbers = [0; 16];
    let counts = [resample.batch, resample.size[0], resample.size[1], resample.channels, factor[0], factor[1]];
    numbers.iter_mut().zip(counts).for_each(|(number, count)| *number = count as i32);
    let numbers = Argument::Ints(numbers);
    let len = resample.dims().iter().product();
    let y = written("upsample", x.device(), &resample.dims(), |gpu, y| {
        let operands = [y, x.place()?, Place::of(&rows), Place::of(&columns)].map(Into::into);
        gpu.each("upsample", len, &[&operands[..], &[numbers]].concat())
    })?;
    if !tape.records(&[x]) {
        return Ok(y);
    }
    let (of_x, inputs) = (Slot::of(x), x.len());
    let (y, of_y) = y.recorded();
    tape.push(move |flow| {
        let gy = of_y.take()?;
        of_x.write(flow, |gx, add| {
            let operands = [gx, Place::of(&gy), Place::of(&rows), Place::of(&columns)].map(Into::into);
            gpu()?.each("upsample_input", inputs, &[&operands[..], &[numbers, add.into()]].concat())
        })
    });
    Ok(y)
}

fn places(&[(first, of_first), (second, of_second)]: &Pair) -> Places {
    Places { first: first as i32, second: second as i32, of_first, of_second }
}
