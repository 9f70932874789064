use super::{Kept, Layer, LayerError, NormMode, ParamDef, Pass, Role, Shape, arguments, exactly};
use crate::engine::{BatchStatistics, Broadcast, Kernels, Tape, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Batch normalization of each channel, with a learned scale and shift (Ioffe and Szegedy 2015).
///
/// Whether it uses the batch's statistics or the running ones is the phase's `batch_norm` setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    /// Added to the variance.
    #[serde(default = "BatchNorm::default_eps", deserialize_with = "arguments::epsilon")]
    pub eps: f64,
    /// The share of a batch in the running statistics, as torch counts it: 0.1 keeps nine tenths.
    #[serde(default = "BatchNorm::default_momentum", deserialize_with = "arguments::share")]
    pub momentum: f64,
}

impl Default for BatchNorm {
    fn default() -> Self {
        BatchNorm { eps: Self::default_eps(), momentum: Self::default_momentum() }
    }
}

impl BatchNorm {
    /// With this added to the variance.
    pub fn with_eps(eps: f64) -> Self {
        BatchNorm { eps, ..Self::default() }
    }

    fn default_eps() -> f64 {
        1e-5
    }

    fn default_momentum() -> f64 {
        0.1
    }

    /// The running statistics after a batch: `(1 - momentum) * running + momentum * batch`, the
    /// variance unbiased.
    fn follow<D: Kernels>(
        &self,
        mean: &Tensor<D>,
        variance: &Tensor<D>,
        batch: &BatchStatistics<D>,
        tape: &Tape<D>,
    ) -> Result<[Tensor<D>; 2], LayerError> {
        let unbiased = batch.count as f64 / (batch.count as f64 - 1.0);
        let mix = |running: &Tensor<D>, found: &Tensor<D>, factor: f64| {
            let mut off = Tape::off(tape.kernels());
            let kept = times(&mut off, running, 1.0 - self.momentum)?;
            let new = times(&mut off, found, self.momentum * factor)?;
            Ok::<_, LayerError>(D::add(&mut off, &kept, &new, None)?)
        };
        Ok([mix(mean, &batch.mean, 1.0)?, mix(variance, &batch.variance, unbiased)?])
    }
}

/// A vector times a number.
fn times<D: Kernels>(tape: &mut Tape<D>, vector: &Tensor<D>, factor: f64) -> Result<Tensor<D>, LayerError> {
    let row = vector.clone().wanting_grad(false).reshape(&[1, vector.len()])?;
    let factor = Tensor::from_vec(vector.device(), vec![factor as f32], &[1])?;
    Ok(D::scale(tape, &row, &factor, Broadcast::Sample)?.reshape(vector.dims())?)
}

impl Layer for BatchNorm {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        Ok(*input)
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamDef> {
        let channels = inputs.first().map_or(0, |input| input.channels());
        vec![
            ParamDef::vector("weight", channels, Role::Scale),
            ParamDef::vector("bias", channels, Role::Shift),
            ParamDef::vector("running_mean", channels, Role::RunningMean),
            ParamDef::vector("running_var", channels, Role::RunningVariance),
        ]
    }

    fn multiply_adds(&self, _: &[Shape], output: Shape) -> u64 {
        output.count() as u64
    }

    fn fuses_activation(&self) -> bool {
        true
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        params: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        let [scale, shift, mean, variance] = exactly(params)?;
        let (eps, activation) = (self.eps as f32, pass.activation);
        if pass.norm == NormMode::Inference {
            return Ok(D::batch_norm_inference(pass.tape, x, scale, shift, mean, variance, eps, activation)?);
        }
        if x.len() <= scale.len() {
            return Err(LayerError::Shape(
                "a batch of one value a channel has no variance: use a larger batch, or `batch_norm: frozen`".into(),
            ));
        }
        let (y, batch) = D::batch_norm_training(pass.tape, x, scale, shift, eps, activation)?;
        let [mean, variance] = self.follow(mean, variance, &batch, pass.tape)?;
        pass.updates.push((2, mean));
        pass.updates.push((3, variance));
        Ok(y)
    }

    fn kept_for_backward(&self, _: &[Shape], _: Shape) -> Kept {
        Kept { inputs: true, output: false, extra: 0 }
    }
}
