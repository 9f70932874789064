//! Products with factors, one a value, a sample, or a sample and channel; and sums of two tensors.

use super::super::{Broadcast, Cuda, EngineError, Result, Tape, Tensor};
use super::buffer::{Slot, written};
use super::gpu::{Gpu, Place, Run, gpu};

/// How the factor lies over the values: `samples` times `pixels` times `channels` values, with one factor a sample and
/// channel.
#[derive(Clone, Copy)]
struct Spread {
    samples: usize,
    pixels: usize,
    channels: usize,
}

/// See [`super::super::Kernels::scale`].
pub fn scale(
    tape: &mut Tape<Cuda>,
    x: &Tensor<Cuda>,
    factor: &Tensor<Cuda>,
    broadcast: Broadcast,
) -> Result<Tensor<Cuda>> {
    let spread = Spread::new(x, factor, broadcast)?;
    let y =
        written("scale", x.device(), x.dims(), |gpu, y| spread.multiply(gpu, y, x.place()?, factor.place()?, false))?;
    if !tape.records(&[x, factor]) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let (of_x, of_factor) = (Slot::wanted(x), Slot::wanted(factor));
    let x = of_factor.is_some().then(|| x.clone());
    let factor = of_x.is_some().then(|| factor.clone());
    tape.push(move |flow| {
        let (gpu, gy) = (gpu()?, of_y.take()?);
        if let (Some(of_factor), Some(x)) = (of_factor, x) {
            of_factor.add(flow, |gf| spread.add_factor_gradient(gpu, gf, x.place()?, Place::of(&gy)))?;
        }
        if let (Some(of_x), Some(factor)) = (of_x, factor) {
            of_x.write(flow, |gx, add| spread.multiply(gpu, gx, Place::of(&gy), factor.place()?, add))?;
        }
        Ok(())
    });
    Ok(y)
}

/// See [`super::super::Kernels::blend`].
pub fn blend(a: &Tensor<Cuda>, of_a: f32, b: &Tensor<Cuda>, of_b: f32) -> Result<Tensor<Cuda>> {
    if a.dims() != b.dims() {
        return Err(EngineError::Shapes { operation: "blend", shapes: vec![a.dims().to_vec(), b.dims().to_vec()] });
    }
    written("blend", a.device(), a.dims(), |gpu, y| {
        let operands = [y.into(), a.place()?.into(), of_a.into(), b.place()?.into(), of_b.into(), a.len().into()];
        gpu.each_four("blend", a.len(), &operands)
    })
}

impl Spread {
    fn new(x: &Tensor<Cuda>, factor: &Tensor<Cuda>, broadcast: Broadcast) -> Result<Self> {
        let misfit =
            || EngineError::Shapes { operation: "scale", shapes: vec![x.dims().to_vec(), factor.dims().to_vec()] };
        let (Some(&samples), Some(&channels)) = (x.dims().first(), x.dims().last()) else { return Err(misfit()) };
        let inner: usize = x.dims()[1..].iter().product();
        // A factor a value is one a channel with one pixel; a factor a sample is one channel.
        let (fits, pixels, channels) = match broadcast {
            Broadcast::Element => (factor.len() == x.len(), 1, inner),
            Broadcast::Sample => (factor.len() == samples, inner, 1),
            Broadcast::SampleChannel => (factor.len() == samples * channels, inner / channels.max(1), channels),
        };
        if fits && !x.is_empty() { Ok(Spread { samples, pixels, channels }) } else { Err(misfit()) }
    }

    fn len(&self) -> usize {
        self.samples * self.pixels * self.channels
    }

    fn multiply(&self, gpu: &Gpu, to: Place, from: Place, factor: Place, add: bool) -> Run<()> {
        let counts = [self.pixels * self.channels, self.channels].map(|count| (count as i32).into());
        let places = [to.into(), from.into(), factor.into(), self.len().into()];
        gpu.each("scale", self.len(), &[&places[..], &counts, &[add.into()]].concat())
    }

    fn add_factor_gradient(&self, gpu: &Gpu, gf: Place, x: Place, gy: Place) -> Run<()> {
        let places = [gf.into(), x.into(), gy.into()];
        let (pixels, channels) = ((self.pixels as i32).into(), (self.channels as i32).into());
        if self.pixels == 1 {
            return gpu.each("multiply_add", self.len(), &[&places[..], &[self.len().into()]].concat());
        }
        if self.channels == 1 {
            let operands = [&places[..], &[pixels]].concat();
            return gpu.launch("sample_gradient", [self.samples, 1, 1], [256, 1], 0, &operands);
        }
        let blocks = [self.channels.div_ceil(32), self.samples, 1];
        gpu.launch("factor_gradient", blocks, [32, 8], 0, &[&places[..], &[pixels, channels]].concat())
    }
}
