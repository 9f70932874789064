//! Gaussian blur of values in memory.

use super::Border;

/// The values (H, W, C) blurred over H and W by a Gaussian of `sigma` pixels, cut at three sigmas.
/// Beyond the border lies the image mirrored.
pub fn blurred(values: &[f32], [height, width, channels]: [usize; 3], sigma: f32) -> Vec<f32> {
    let kernel = kernel(sigma);
    let radius = kernel.len() / 2;
    let row_len = width * channels;
    // Along rows: each row is laid out with its margins, then summed shifted.
    let mut rows = vec![0.0; values.len()];
    let mut wide = vec![0.0; (width + 2 * radius) * channels];
    for (row, out) in values.chunks_exact(row_len).zip(rows.chunks_exact_mut(row_len)) {
        for (at, pixel) in wide.chunks_exact_mut(channels).enumerate() {
            let from = mirrored(at as isize - radius as isize, width);
            pixel.copy_from_slice(&row[from * channels..][..channels]);
        }
        for (tap, weight) in kernel.iter().enumerate() {
            add(out, &wide[tap * channels..][..row_len], *weight);
        }
    }
    // Along columns: whole rows are summed.
    let mut out = vec![0.0; values.len()];
    for (y, out) in out.chunks_exact_mut(row_len).enumerate() {
        for (tap, weight) in kernel.iter().enumerate() {
            let from = mirrored(y as isize + tap as isize - radius as isize, height);
            add(out, &rows[from * row_len..][..row_len], *weight);
        }
    }
    out
}

fn mirrored(at: isize, len: usize) -> usize {
    Border::Reflect.place(at, len).unwrap_or(0)
}

fn add(out: &mut [f32], values: &[f32], weight: f32) {
    for (out, value) in out.iter_mut().zip(values) {
        *out += weight * value;
    }
}

/// The weights of a Gaussian; they sum to 1.
fn kernel(sigma: f32) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as isize;
    let weight = |at: isize| if at == 0 { 1.0 } else { (-0.5 * (at as f32 / sigma).powi(2)).exp() };
    let sum: f32 = (-radius..=radius).map(weight).sum();
    (-radius..=radius).map(|at| weight(at) / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_becomes_a_gaussian() {
        let mut values = vec![0.0; 41 * 41];
        values[20 * 41 + 20] = 1.0;
        let out = blurred(&values, [41, 41, 1], 2.0);
        let density = |y: f32, x: f32| (-(y * y + x * x) / 8.0).exp() / (std::f32::consts::TAU * 4.0);
        for (y, x) in [(0, 0), (1, 0), (0, 3), (2, 2), (4, 1)] {
            let (value, expected) = (out[(20 + y) * 41 + 20 + x], density(y as f32, x as f32));
            assert!((value - expected).abs() < 0.02 * density(0.0, 0.0), "{value} is not {expected}");
        }
        assert!((out.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    }

    #[test]
    fn channels_and_edges_keep_what_is_even() {
        let values: Vec<f32> = (0..5 * 4).flat_map(|_| [1.0, 20.0, 300.0]).collect();
        for (value, expected) in blurred(&values, [5, 4, 3], 30.0).iter().zip(&values) {
            assert!((value / expected - 1.0).abs() < 1e-4, "{value} is not {expected}");
        }
        assert_eq!(blurred(&[7.0], [1, 1, 1], 0.0), [7.0]);
    }
}
