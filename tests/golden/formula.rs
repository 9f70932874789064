//! The formulas by which the golden files' weights and images are made.

use crate::file::Formula;
use rayon::prelude::*;
use runner::layers::Role;

impl Formula {
    /// The values of tensor `t` (its place in the `state_dict`, from 1), in file order.
    pub fn weights(self, t: usize, role: Role, dims: &[usize]) -> Vec<f32> {
        let fan_in: usize = dims.iter().skip(1).product();
        let (offset, factor) = match role {
            Role::Weight => (0.0, (self.gain() / fan_in as f64).sqrt()),
            Role::Bias | Role::Shift | Role::RunningMean => (0.0, 0.1),
            Role::Scale => (1.0, 0.1),
            Role::RunningVariance => (1.0, 0.2),
        };
        let value = |i: usize| (offset + factor * self.unit(t, i)) as f32;
        (0..dims.iter().product()).into_par_iter().map(value).collect()
    }

    /// The images of shape (N, C, H, W), in the order (N, H, W, C).
    pub fn images(self, dims: [usize; 4]) -> Vec<f32> {
        let value = |i: usize| match self {
            Formula::Sine => (0.37 * i as f64).sin() as f32,
            Formula::Uniform => self.unit(0, i) as f32,
        };
        channels_last(&(0..dims.iter().product()).map(value).collect::<Vec<_>>(), dims)
    }

    /// Weights have the variance `gain / 3 / fan_in` (uniform), or `gain / 2 / fan_in` (sines).
    fn gain(self) -> f64 {
        match self {
            Formula::Sine => 4.0,
            Formula::Uniform => 6.0,
        }
    }

    /// A number from -1 to 1 for element `i` (from 0) of tensor `t`.
    fn unit(self, t: usize, i: usize) -> f64 {
        match self {
            Formula::Sine => (12.9898 * (i + 1) as f64 + 78.233 * t as f64).sin(),
            Formula::Uniform => {
                f64::from(murmur((i as u32).wrapping_add((t as u32).wrapping_mul(0x9e37_79b9)))) / 2.0_f64.powi(31)
                    - 1.0
            }
        }
    }
}

/// The finalizer of murmur3: each bit of the result depends on all bits of `x`.
fn murmur(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
    x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

/// Values of shape (N, C, H, W), in the order (N, H, W, C).
pub fn channels_last(values: &[f32], [samples, channels, height, width]: [usize; 4]) -> Vec<f32> {
    let pixels = height * width;
    let mut out = Vec::with_capacity(values.len());
    for n in 0..samples {
        for pixel in 0..pixels {
            out.extend((0..channels).map(|c| values[(n * channels + c) * pixels + pixel]));
        }
    }
    out
}
