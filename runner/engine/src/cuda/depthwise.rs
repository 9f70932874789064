//! Convolution of each channel alone.

use super::super::slide::Slide;
use super::super::{Cuda, Result, Tape, Tensor};
use super::buffer::{record, written};
use super::geometry::Geometry;
use super::gpu::{Gpu, Place, Run};
use super::lanes::Lanes;

/// Pixels that a thread adds up at least, for the gradient of the weights.
const SUMMED: usize = 32;

/// The convolution of each channel of `x` by `weight` (KH, KW, 1, C).
pub fn conv2d(tape: &mut Tape<Cuda>, x: &Tensor<Cuda>, weight: &Tensor<Cuda>, slide: Slide) -> Result<Tensor<Cuda>> {
    let geometry = Geometry::of_slide(&slide);
    let dims = [slide.batch, slide.output[0], slide.output[1], slide.channels];
    let wide = slide.channels.is_multiple_of(4);
    let lanes = if wide { slide.channels / 4 } else { slide.channels };
    let y = written("conv2d", x.device(), &dims, |gpu, y| {
        let operands = [y.into(), x.place()?.into(), weight.place()?.into(), geometry.into()];
        gpu.each(if wide { "depthwise4" } else { "depthwise1" }, slide.rows() * lanes, &operands)
    })?;
    let weight_gradient = move |gpu: &Gpu, x: Place, gy: Place, gw: Place| add_weight_gradient(gpu, &slide, x, gy, gw);
    Ok(record(tape, y, [x, weight], weight_gradient, move |gpu, weight, gy, gx, add| {
        let pixels = slide.batch * slide.size[0] * slide.size[1];
        let operands = [gx.into(), gy.into(), weight.into(), geometry.into(), add.into()];
        gpu.each(if wide { "depthwise_input4" } else { "depthwise_input1" }, pixels * lanes, &operands)
    }))
}

fn add_weight_gradient(gpu: &Gpu, slide: &Slide, x: Place, gy: Place, gw: Place) -> Run<()> {
    let lanes = Lanes::over(slide.rows(), slide.channels, SUMMED);
    let len = slide.taps() * slide.channels;
    let parts = gpu.room(lanes.splits() * len)?;
    let kernel = lanes.named(["depthwise_weight1", "depthwise_weight4"]);
    let operands = [Place::of(&parts).into(), x.into(), gy.into(), Geometry::of_slide(slide).into()];
    gpu.launch(kernel, lanes.grid(slide.taps()), lanes.threads, lanes.shared(1), &operands)?;
    let operands = [gw.into(), Place::of(&parts).into(), (lanes.splits() as i32).into(), len.into(), true.into()];
    gpu.each("join_parts", len, &operands)
}
