//! Products and sums of vectors, always in the same order: the same bits on every run.

/// Sums that run side by side, so that the compiler can use vector registers.
const LANES: usize = 8;

/// The scalar product of a row of features and weights.
pub(super) fn dot(row: &[f32], weights: &[f64]) -> f64 {
    let mut sums = [0.0_f64; LANES];
    let (rows, weight_chunks) = (row.chunks_exact(LANES), weights.chunks_exact(LANES));
    let rest: f64 = rows.remainder().iter().zip(weight_chunks.remainder()).map(|(&x, &w)| f64::from(x) * w).sum();
    for (x, w) in rows.zip(weight_chunks) {
        for lane in 0..LANES {
            sums[lane] += f64::from(x[lane]) * w[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// `weights += factor * row`
pub(super) fn add(weights: &mut [f64], factor: f64, row: &[f32]) {
    for (weight, &x) in weights.iter_mut().zip(row) {
        *weight += factor * f64::from(x);
    }
}

/// The scalar product of two vectors of weights.
pub(super) fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The squared norm of a row.
pub(super) fn square(row: &[f32]) -> f64 {
    row.iter().map(|&x| f64::from(x) * f64::from(x)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_count_whatever_their_number() {
        for count in [0_u8, 1, 7, 8, 19] {
            let row: Vec<f32> = (0..count).map(f32::from).collect();
            let mut weights: Vec<f64> = (0..count).map(|i| f64::from(i) - 3.0).collect();
            let expected: f64 = (0..count).map(|i| f64::from(i) * (f64::from(i) - 3.0)).sum();
            assert!((dot(&row, &weights) - expected).abs() < 1e-9);
            let before = weights.clone();
            add(&mut weights, 2.0, &row);
            let moved: Vec<f64> = before.iter().zip(&row).map(|(w, &x)| w + 2.0 * f64::from(x)).collect();
            assert_eq!(weights, moved);
        }
    }
}
