//! Features brought to mean 0 and standard deviation 1, and the way back.

use super::LinearMap;

/// Mean and standard deviation of each feature.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standard {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Standard {
    /// Brings rows of `width` features to mean 0 and standard deviation 1 in place. A feature that is
    /// the same in all rows becomes 0 (scikit-learn's `StandardScaler`).
    pub fn apply(values: &mut [f32], width: usize) -> Self {
        let rows = (values.len() / width.max(1)).max(1) as f64;
        let mut mean = vec![0.0; width];
        for row in values.chunks_exact(width.max(1)) {
            super::vector::add(&mut mean, 1.0, row);
        }
        for sum in &mut mean {
            *sum /= rows;
        }
        let mut deviation = vec![0.0; width];
        for row in values.chunks_exact(width.max(1)) {
            for ((sum, &x), mean) in deviation.iter_mut().zip(row).zip(&mean) {
                *sum += (f64::from(x) - mean).powi(2);
            }
        }
        for (deviation, mean) in deviation.iter_mut().zip(&mean) {
            *deviation = (*deviation / rows).sqrt();
            // What rounding leaves of a constant is no deviation.
            if *deviation <= 1e-7 * mean.abs() || *deviation == 0.0 {
                *deviation = 1.0;
            }
        }
        for row in values.chunks_exact_mut(width.max(1)) {
            for ((x, mean), deviation) in row.iter_mut().zip(&mean).zip(&deviation) {
                *x = ((f64::from(*x) - mean) / deviation) as f32;
            }
        }
        Standard { mean, deviation }
    }

    /// The map over features as they are that gives what `map` gives over standardized ones.
    pub fn fold(&self, mut map: LinearMap) -> LinearMap {
        for (weights, bias) in map.weights.chunks_exact_mut(self.mean.len().max(1)).zip(&mut map.bias) {
            for ((weight, mean), deviation) in weights.iter_mut().zip(&self.mean).zip(&self.deviation) {
                *weight /= deviation;
                *bias -= *weight * mean;
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_map_gives_the_same_over_features_as_they_are() {
        let raw: Vec<f32> = vec![1.0, 10.0, 5.0, 2.0, 30.0, 5.0, 6.0, -20.0, 5.0];
        let mut values = raw.clone();
        let standard = Standard::apply(&mut values, 3);
        for feature in 0..2 {
            let column: Vec<f64> = values.iter().skip(feature).step_by(3).map(|&x| f64::from(x)).collect();
            assert!(column.iter().sum::<f64>().abs() < 1e-6);
            assert!((column.iter().map(|x| x * x).sum::<f64>() / 3.0 - 1.0).abs() < 1e-6);
        }
        assert_eq!(values[2], 0.0, "a constant feature says nothing");
        let map = LinearMap { weights: vec![0.5, -1.0, 3.0, 2.0, 0.25, 1.0], bias: vec![0.1, -0.2] };
        let folded = standard.fold(map.clone());
        for (raw, scaled) in raw.chunks_exact(3).zip(values.chunks_exact(3)) {
            for (a, b) in folded.outputs(raw).into_iter().zip(map.outputs(scaled)) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }
}
