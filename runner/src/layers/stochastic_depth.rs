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
    #[schemars(range(min = 0.0, max = 1.0))]
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
        let (drop, keep) = (self.0 as f32, (1.0 / (1.0 - self.0)) as f32);
        let mask = (0..samples).map(|row| if pass.random(row).chance(drop) { 0.0 } else { keep }).collect();
        let mask = Tensor::from_vec(x.device(), mask, &[samples])?;
        Ok(D::scale(pass.tape, x, &mask, Broadcast::Sample)?)
    }
}
