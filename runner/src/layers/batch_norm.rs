use super::{Layer, LayerError, NormMode, ParamDef, Pass, Role, Shape, arguments, exactly};
use crate::engine::{BatchStatistics, Kernels, Tensor};
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

    /// The running statistics after a batch: `(1 - share) * running + share * batch`, the variance
    /// unbiased.
    fn follow<D: Kernels>(
        share: f64,
        mean: &Tensor<D>,
        variance: &Tensor<D>,
        batch: &BatchStatistics<D>,
    ) -> Result<[Tensor<D>; 2], LayerError> {
        let unbiased = batch.count as f64 / (batch.count as f64 - 1.0);
        let mix = |running: &Tensor<D>, found: &Tensor<D>, factor: f64| {
            D::blend(running, (1.0 - share) as f32, found, (share * factor) as f32)
        };
        Ok([mix(mean, &batch.mean, 1.0)?, mix(variance, &batch.variance, unbiased)?])
    }
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
        let share = match pass.norm {
            NormMode::Mean(before) => 1.0 / (f64::from(before) + 1.0),
            _ => self.momentum,
        };
        let [mean, variance] = Self::follow(share, mean, variance, &batch)?;
        pass.updates.push((2, mean));
        pass.updates.push((3, variance));
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Trial, assert_near, evaluate, image, parse, parse_error, tensor};
    use super::*;
    use crate::engine::{Activation, Cpu};

    /// Scale, shift, running mean and running variance of two channels.
    fn params() -> [Tensor<Cpu>; 4] {
        [[2., 1.], [0.5, -1.], [1., 0.], [4., 1.]].map(|values| tensor(&[2], &values))
    }

    fn batch() -> Tensor<Cpu> {
        tensor(&[2, 1, 2, 2], &[1., 10., 3., 20., 5., 30., 7., 40.])
    }

    #[test]
    fn reads_every_form() {
        assert_eq!(parse("batch_norm"), BatchNorm::default().into());
        assert_eq!(parse("batch_norm: {}"), BatchNorm { eps: 1e-5, momentum: 0.1 }.into());
        assert_eq!(parse("batch_norm: { eps: 1e-3 }"), BatchNorm::with_eps(1e-3).into());
        assert!(parse_error("batch_norm: { eps: 0 }").contains("0 is not above 0 and up to 1"));
        assert!(parse_error("batch_norm: { momentum: 1.5 }").contains("1.5 is not from 0 to 1"));
    }

    #[test]
    fn has_four_vectors_two_of_them_buffers() {
        let params = BatchNorm::default().params(&[image(4, 4, 3)]);
        let facts: Vec<_> =
            params.iter().map(|param| (&param.name[..], param.count(), param.role.is_buffer())).collect();
        let expected = [("weight", 3, false), ("bias", 3, false), ("running_mean", 3, true), ("running_var", 3, true)];
        assert_eq!(facts, expected);
    }

    #[test]
    fn inference_uses_the_running_statistics() {
        let y = evaluate(BatchNorm::with_eps(1e-12), &batch(), &params());
        assert_near(&y.values, &[0.5, 9., 2.5, 19., 4.5, 29., 6.5, 39.]);
        assert!(y.updates.is_empty());
    }

    #[test]
    fn a_batch_is_normalized_by_itself_and_the_running_statistics_follow() {
        let trial = Trial { norm: NormMode::Batch, ..Trial::training() };
        let y = trial.run(BatchNorm::with_eps(1e-12), &[batch()], &params());
        // Means 4 and 25, biased variances 5 and 125, unbiased 20/3 and 500/3.
        let z = [-3., -1., 1., 3.].map(|deviation: f32| deviation / 5_f32.sqrt());
        let expected: Vec<f32> = z.iter().flat_map(|z| [2. * z + 0.5, z - 1.]).collect();
        assert_near(&y.values, &expected);
        let [(2, mean), (3, variance)] = &y.updates[..] else { panic!("{:?}", y.updates) };
        assert_near(mean, &[0.9 + 0.4, 2.5]);
        assert_near(variance, &[0.9 * 4. + 0.1 * 20. / 3., 0.9 + 0.1 * 500. / 3.]);
    }

    #[test]
    fn an_activation_runs_within() {
        for norm in [NormMode::Inference, NormMode::Batch] {
            let plain = Trial { norm, ..Trial::training() };
            let fused = Trial { activation: Some(Activation::Relu), ..plain.clone() };
            let expected: Vec<f32> =
                plain.run(BatchNorm::default(), &[batch()], &params()).values.iter().map(|y| y.max(0.)).collect();
            assert_near(&fused.run(BatchNorm::default(), &[batch()], &params()).values, &expected);
        }
    }

    #[test]
    fn vectors_are_normalized_too() {
        let x = tensor(&[2, 2], &[1., 10., 3., 20.]);
        let trial = Trial { norm: NormMode::Batch, ..Trial::training() };
        let y = trial.run(BatchNorm::with_eps(1e-12), &[x], &params());
        assert_near(&y.values, &[-1.5, -2., 2.5, 0.]);
    }

    #[test]
    fn one_value_a_channel_has_no_variance() {
        let trial = Trial { norm: NormMode::Batch, ..Trial::training() };
        let said = trial.error(BatchNorm::default(), &[tensor(&[1, 1, 1, 2], &[1., 2.])], &params());
        assert!(said.contains("use a larger batch"), "{said}");
    }
}
