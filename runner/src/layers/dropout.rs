use super::{Kept, Layer, LayerError, Pass, Shape, arguments, exactly};
use crate::engine::{Broadcast, Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Dropout: in training, each value becomes 0 with this probability, and the others grow so that
/// the mean stays (Srivastava et al. 2014). Nothing happens in evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Dropout(
    /// The probability, from 0 to below 1.
    #[serde(deserialize_with = "arguments::probability")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub f64,
);

impl Layer for Dropout {
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

    fn kept_for_backward(&self, _: &[Shape], output: Shape) -> Kept {
        Kept { extra: if self.is_random() { output.count() } else { 0 }, ..Kept::NOTHING }
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
        let (drop, keep) = (self.0 as f32, (1.0 / (1.0 - self.0)) as f32);
        let mut mask = Vec::with_capacity(x.len());
        for row in 0..samples {
            let mut random = pass.random(row);
            mask.extend((0..values).map(|_| if random.chance(drop) { 0.0 } else { keep }));
        }
        let mask = Tensor::from_vec(x.device(), mask, x.dims())?;
        Ok(D::scale(pass.tape, x, &mask, Broadcast::Element)?)
    }
}
