use super::{Kept, Layer, LayerError, Pass, Shape, arguments, exactly};
use crate::engine::{Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Gaussian noise: in training, a draw from a normal distribution of mean 0 and this standard deviation is added
/// to each value (Bishop 1995; Keras's `GaussianNoise`). Nothing happens in evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct GaussianNoise(
    /// The standard deviation, from 0 on.
    #[serde(deserialize_with = "arguments::deviation")]
    #[schemars(range(min = 0.0))]
    pub f64,
);

impl Layer for GaussianNoise {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        Ok(*input)
    }

    fn is_random(&self) -> bool {
        self.0 > 0.0
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn kept_for_backward(&self, _: &[Shape], _: Shape) -> Kept {
        Kept::NOTHING
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        _: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        if !pass.training || !self.is_random() {
            return Ok(x.clone());
        }
        let samples = x.dims().first().copied().unwrap_or(0);
        let values = x.len().checked_div(samples).unwrap_or(0);
        let deviation = self.0 as f32;
        let noise = pass.draw(samples, values, |random| deviation * random.normal());
        let noise = Tensor::from_vec(x.device(), noise, x.dims())?;
        Ok(D::add(pass.tape, x, &noise, None)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Trial, check_gradient, evaluate, image, parse, parse_error, tensor};
    use super::*;

    fn noise(trial: &Trial, deviation: f64) -> Vec<f32> {
        let ones = tensor(&[64, 100], &vec![1.0; 6400]);
        trial.run(GaussianNoise(deviation), &[ones], &[]).values.iter().map(|value| value - 1.0).collect()
    }

    #[test]
    fn reads_a_deviation() {
        assert_eq!(parse("gaussian_noise: 0.1"), GaussianNoise(0.1).into());
        assert_eq!(parse("gaussian_noise: 2"), GaussianNoise(2.0).into());
        for bad in ["-0.1", ".inf", ".nan"] {
            assert!(parse_error(&format!("gaussian_noise: {bad}")).contains("is not a number from 0 on"), "{bad}");
        }
        assert_eq!(GaussianNoise(0.5).output(&[image(2, 3, 4)]).unwrap(), image(2, 3, 4));
    }

    #[test]
    fn mean_and_deviation_are_those_asked_for() {
        let noise = noise(&Trial::training(), 0.5);
        let mean = noise.iter().sum::<f32>() / 6400.0;
        let variance = noise.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / 6400.0;
        // Standard errors of 6400 draws: 0.006 of the mean, 0.0044 of the deviation.
        assert!(mean.abs() < 0.025 && (variance.sqrt() - 0.5).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn nothing_happens_in_evaluation_or_at_zero() {
        let ones = tensor(&[2, 3], &[1.0; 6]);
        assert_eq!(evaluate(GaussianNoise(0.5), &ones, &[]).values, [1.0; 6]);
        assert_eq!(Trial::training().run(GaussianNoise(0.0), &[ones], &[]).values, [1.0; 6]);
    }

    #[test]
    fn noise_follows_from_seed_node_and_sample() {
        let first = noise(&Trial::training(), 0.5);
        assert_eq!(first, noise(&Trial::training(), 0.5));
        assert_ne!(first, noise(&Trial { seed: 2, ..Trial::training() }, 0.5));
        assert_ne!(first, noise(&Trial { node: 1, ..Trial::training() }, 0.5));
        let turned = noise(&Trial { samples: (0..64).rev().collect(), ..Trial::training() }, 0.5);
        let rows: Vec<&[f32]> = first.chunks(100).collect();
        assert_eq!(rows, turned.chunks(100).rev().collect::<Vec<_>>());
        assert_ne!(rows[0], rows[1]);
    }

    #[test]
    fn the_gradient_passes() {
        check_gradient(&Trial::training(), GaussianNoise(0.5), &[3, 4]);
    }
}
