//! The formula by which the golden files' weights and inputs are made.

use rayon::prelude::*;
use runner::layers::Role;

/// The values of tensor `t` (its place in the `state_dict`, from 1), in file order.
pub fn weights(t: usize, role: Role, dims: &[usize]) -> Vec<f32> {
    let fan_in: usize = dims.iter().skip(1).product();
    let (offset, factor) = match role {
        Role::Weight => (0.0, (4.0 / fan_in as f64).sqrt()),
        Role::Bias | Role::Shift | Role::RunningMean => (0.0, 0.1),
        Role::Scale => (1.0, 0.1),
        Role::RunningVariance => (1.0, 0.2),
    };
    let value = |i: usize| (offset + factor * (12.9898 * i as f64 + 78.233 * t as f64).sin()) as f32;
    (1..=dims.iter().product()).into_par_iter().map(value).collect()
}

/// The input of shape (N, C, H, W), in the order (N, H, W, C).
pub fn images(dims: [usize; 4]) -> Vec<f32> {
    let flat: Vec<f32> = (0..dims.iter().product()).map(|i: usize| (0.37 * i as f64).sin() as f32).collect();
    channels_last(&flat, dims)
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
