//! Products with a factor a value, a sample, or a sample and channel.

use super::super::{Broadcast, Cpu, EngineError, Result, Tape, Tensor};
use super::buffer::Slot;
use super::split;
use super::wide::wide;

/// How the factor lies over the values: `samples` times `pixels` times `channels` values, with one
/// factor a sample and channel.
#[derive(Clone, Copy)]
struct Spread {
    pixels: usize,
    channels: usize,
}

/// See [`super::super::Kernels::scale`].
pub fn scale(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, factor: &Tensor<Cpu>, broadcast: Broadcast) -> Result<Tensor<Cpu>> {
    let spread = Spread::new(x, factor, broadcast)?;
    let y = Tensor::written(x.device(), x.dims(), |y| spread.multiply(x.values(), factor.values(), y))?;
    if !tape.records(&[x, factor]) {
        return Ok(y);
    }
    let (y, of_y) = y.recorded();
    let (of_x, of_factor) = (Slot::wanted(x), Slot::wanted(factor));
    let x = of_factor.is_some().then(|| x.clone());
    let factor = of_x.is_some().then(|| factor.clone());
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        if let (Some(of_factor), Some(x)) = (of_factor, x) {
            of_factor.add(flow, |gf| spread.factor_gradient(x.values(), &gy, gf))?;
        }
        if let (Some(of_x), Some(factor)) = (of_x, factor) {
            of_x.write(flow, |gx, add| {
                if add {
                    spread.add_input_gradient(factor.values(), &gy, gx);
                } else {
                    spread.multiply(&gy, factor.values(), gx);
                }
            })?;
        }
        Ok(())
    });
    Ok(y)
}

impl Spread {
    fn new(x: &Tensor<Cpu>, factor: &Tensor<Cpu>, broadcast: Broadcast) -> Result<Self> {
        let misfit =
            || EngineError::Shapes { operation: "scale", shapes: vec![x.dims().to_vec(), factor.dims().to_vec()] };
        let (Some(&samples), Some(&channels)) = (x.dims().first(), x.dims().last()) else { return Err(misfit()) };
        let inner: usize = x.dims()[1..].iter().product();
        // A factor a value is one a channel with one pixel; a factor a sample is one channel.
        let (fits, spread) = match broadcast {
            Broadcast::Element => (factor.len() == x.len(), Spread { pixels: 1, channels: inner }),
            Broadcast::Sample => (factor.len() == samples, Spread { pixels: inner, channels: 1 }),
            Broadcast::SampleChannel => {
                (factor.len() == samples * channels, Spread { pixels: inner / channels.max(1), channels })
            }
        };
        if fits { Ok(spread) } else { Err(misfit()) }
    }

    fn multiply(&self, x: &[f32], factor: &[f32], y: &mut [f32]) {
        self.each(y, x, factor, |y, x, factor| *y = x * factor);
    }

    fn add_input_gradient(&self, factor: &[f32], gy: &[f32], gx: &mut [f32]) {
        self.each(gx, gy, factor, |gx, gy, factor| *gx += gy * factor);
    }

    /// Calls `f` with each value of `to` and `from` and its factor.
    fn each(&self, to: &mut [f32], from: &[f32], factor: &[f32], f: impl Fn(&mut f32, f32, f32) + Sync + Send) {
        let Spread { pixels, channels } = *self;
        split::rows(to, pixels * channels, |first, to| {
            let from = &from[first * pixels * channels..][..to.len()];
            let samples =
                to.chunks_exact_mut((pixels * channels).max(1)).zip(from.chunks_exact((pixels * channels).max(1)));
            for (sample, (to, from)) in samples.enumerate() {
                let factor = &factor[(first + sample) * channels..][..channels];
                wide!({
                    if let &[factor] = factor {
                        return to.iter_mut().zip(from).for_each(|(to, &from)| f(to, from, factor));
                    }
                    for (to, from) in to.chunks_exact_mut(channels).zip(from.chunks_exact(channels)) {
                        to.iter_mut()
                            .zip(from.iter().zip(factor))
                            .for_each(|(to, (&from, &factor))| f(to, from, factor));
                    }
                });
            }
        });
    }

    fn factor_gradient(&self, x: &[f32], gy: &[f32], gf: &mut [f32]) {
        let Spread { pixels, channels } = *self;
        let sample_len = pixels * channels;
        let samples = (split::ELEMENTS / sample_len.max(1)).max(1);
        split::chunks(gf, samples * channels, |number, gf| {
            for (sample, gf) in gf.chunks_exact_mut(channels).enumerate() {
                let start = (number * samples + sample) * sample_len;
                let (x, gy) = (&x[start..][..sample_len], &gy[start..][..sample_len]);
                if let [gf] = gf {
                    *gf += x.iter().zip(gy).map(|(&x, &gy)| f64::from(x) * f64::from(gy)).sum::<f64>() as f32;
                    continue;
                }
                let mut sums = vec![0.0_f32; channels];
                wide!({
                    for (x, gy) in x.chunks_exact(channels).zip(gy.chunks_exact(channels)) {
                        sums.iter_mut().zip(x.iter().zip(gy)).for_each(|(sum, (x, gy))| *sum += x * gy);
                    }
                });
                gf.iter_mut().zip(sums).for_each(|(gf, sum)| *gf += sum);
            }
        });
    }
}
