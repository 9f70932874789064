use super::pass::kept_or_dropped;
use super::{Kept, Layer, LayerError, Pass, Shape, arguments, exactly};
use crate::engine::{Broadcast, Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stochastic depth: in training, a sample's whole branch becomes 0 with this probability, and
/// grows otherwise so that the mean stays (Huang et al. 2016). Put it at the end of a residual
/// branch, before `add`. Nothing happens in evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct StochasticDepth(
    /// The probability, from 0 to below 1.
    #[serde(deserialize_with = "arguments::probability")]
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub f64,
);

impl Layer for StochasticDepth {
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
        Kept { extra: usize::from(self.is_random()), ..Kept::NOTHING }
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
        let mask = pass.draw(samples, 1, kept_or_dropped(self.0));
        let mask = Tensor::from_vec(x.device(), mask, &[samples])?;
        Ok(D::scale(pass.tape, x, &mask, Broadcast::Sample)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Trial, evaluate, parse, parse_error, tensor};
    use super::*;

    fn drop(trial: &Trial, p: f64) -> Vec<f32> {
        trial.run(StochasticDepth(p), &[tensor(&[400, 1, 1, 2], &[1.0; 800])], &[]).values
    }

    fn training() -> Trial {
        Trial { samples: (0..400).collect(), ..Trial::training() }
    }

    #[test]
    fn reads_a_probability() {
        assert_eq!(parse("stochastic_depth: 0.2"), StochasticDepth(0.2).into());
        assert!(parse_error("stochastic_depth: 1.0").contains("is not from 0 to below 1"));
    }

    #[test]
    fn drops_whole_samples_and_the_rest_grows() {
        let values = drop(&training(), 0.2);
        let (dropped, kept): (Vec<&[f32]>, Vec<&[f32]>) = values.chunks(2).partition(|row| *row == [0.0; 2]);
        assert!(kept.iter().all(|row| *row == [1.25; 2]));
        let dropped = dropped.len();
        // 400 draws with p = 1/5: 80, standard deviation 8.
        assert!((48..=112).contains(&dropped), "{dropped}");
    }

    #[test]
    fn nothing_happens_in_evaluation_or_at_zero() {
        assert_eq!(evaluate(StochasticDepth(0.5), &tensor(&[4, 1], &[1.0; 4]), &[]).values, [1.0; 4]);
        assert_eq!(drop(&training(), 0.0), [1.0; 800]);
    }

    #[test]
    fn what_is_dropped_follows_from_seed_node_and_sample() {
        let first = drop(&training(), 0.5);
        assert_eq!(first, drop(&training(), 0.5));
        assert_ne!(first, drop(&Trial { seed: 2, ..training() }, 0.5));
        assert_ne!(first, drop(&Trial { node: 1, ..training() }, 0.5));
        let mut turned = drop(&Trial { samples: (0..400).rev().collect(), ..training() }, 0.5);
        turned.reverse();
        assert_eq!(first, turned);
    }
}
