mod joined;

use super::{Layer, LayerError, NormMode, ParamDef, Pass, Role, Shape, arguments, exactly};
use crate::engine::{BatchStatistics, Kernels, Tensor};
use crate::ranks::Ranks;
use joined::Joined;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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

    /// By the statistics of a batch whose rows are shared between ranks.
    fn joined<D: Kernels>(
        &self,
        ranks: &Ranks,
        x: &Tensor<D>,
        scale: &Tensor<D>,
        shift: &Tensor<D>,
        pass: &mut Pass<D>,
    ) -> Result<(Tensor<D>, BatchStatistics<D>), LayerError> {
        let joined = Arc::new(Joined::new(ranks, self.eps));
        let (inputs, params) = (std::slice::from_ref(x), [scale.clone(), shift.clone()]);
        let y = D::foreign(pass.tape, Arc::clone(&joined) as _, inputs, &params, x.dims())?;
        let found = joined.found()?;
        if found.count < 2 {
            return Err(no_variance());
        }
        let channel = |values: &[f32]| Tensor::from_vec(x.device(), values.to_vec(), &[values.len()]);
        let (mean, variance) = (channel(&found.mean)?, channel(&found.variance)?);
        let y = match pass.activation {
            Some(activation) => D::activate(pass.tape, &y, activation)?,
            None => y,
        };
        Ok((y, BatchStatistics { mean, variance, count: found.count }))
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

fn no_variance() -> LayerError {
    LayerError::Shape(
        "a batch of one value a channel has no variance: use a larger batch, or `batch_norm: frozen`".into(),
    )
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
        let (y, batch) = match pass.joined {
            Some(ranks) => self.joined(ranks, x, scale, shift, pass)?,
            None if x.len() <= scale.len() => return Err(no_variance()),
            None => D::batch_norm_training(pass.tape, x, scale, shift, eps, activation)?,
        };
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
    use crate::engine::{Activation, Cpu, KernelSet, Tape};
    use crate::random::{Key, Purpose};
    use crate::ranks::threads;
    use std::ops::Range;

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

    /// Of a layer over rows of a batch: the output, the gradients of input, scale and shift, the statistics.
    fn trained(rows: Range<usize>, joined: Option<&Ranks>, activation: Option<Activation>) -> Vec<Vec<f32>> {
        let value = |place: usize, scale: f32| ((place * 37 + 5) % 23) as f32 * scale - 2.0;
        let places = rows.start * 8..rows.end * 8;
        let x: Vec<f32> = places.clone().map(|place| value(place, 0.3)).collect();
        let weights: Vec<f32> = places.map(|place| value(place * place, 0.2)).collect();
        let x = tensor(&[rows.len(), 2, 2, 2], &x).wanting_grad(true);
        let [scale, shift, mean, variance] = params();
        let params = [scale.wanting_grad(true), shift.wanting_grad(true), mean, variance];
        let mut tape = Tape::recording(KernelSet::Fast);
        let mut pass = Pass {
            tape: &mut tape,
            training: true,
            norm: NormMode::Batch,
            key: Key::new(0, Purpose::Layer),
            samples: &[],
            joined,
            activation,
            node: 0,
            updates: Vec::new(),
        };
        let y = BatchNorm::default().forward(std::slice::from_ref(&x), &params, &mut pass).unwrap();
        let statistics = pass.updates.iter().map(|(_, values)| values.to_vec()).collect::<Vec<_>>();
        let row = y.reshape(&[1, y.len()]).unwrap();
        let loss = Cpu::matmul(&mut tape, &row, &tensor(&[weights.len(), 1], &weights)).unwrap();
        let mut gradients = tape.backward(&loss.reshape(&[]).unwrap()).unwrap();
        let of = [&x, &params[0], &params[1]].map(|tensor| gradients.of(tensor).unwrap().to_vec());
        [vec![y.to_vec()], of.to_vec(), statistics].concat()
    }

    #[test]
    fn a_batch_that_ranks_share_is_normalized_as_a_whole() {
        for activation in [None, Some(Activation::Relu)] {
            let whole = trained(0..5, None, activation);
            for count in [2, 3] {
                let shares = threads::run(count, |ranks| trained(ranks.part_of(5), Some(&ranks), activation));
                for (place, expected) in whole.iter().enumerate() {
                    let found = shares.iter().map(|share| &share[place]);
                    match place {
                        0 | 1 => assert_near(&found.flatten().copied().collect::<Vec<_>>(), expected),
                        2 | 3 => {
                            let sum = |c: usize| found.clone().map(|share| share[c]).sum();
                            assert_near(&[sum(0), sum(1)], expected);
                        }
                        _ => found.for_each(|statistics| assert_near(statistics, expected)),
                    }
                }
                assert!(shares.iter().all(|share| share[4..] == shares[0][4..]), "the same bits on all ranks");
            }
        }
    }

    #[test]
    fn one_value_a_channel_has_no_variance() {
        let trial = Trial { norm: NormMode::Batch, ..Trial::training() };
        let said = trial.error(BatchNorm::default(), &[tensor(&[1, 1, 1, 2], &[1., 2.])], &params());
        assert!(said.contains("use a larger batch"), "{said}");
    }
}
