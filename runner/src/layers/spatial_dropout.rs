use super::pass::kept_or_dropped;
use super::{Kept, Layer, LayerError, Pass, Shape, arguments, exactly};
use crate::engine::{Broadcast, Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Spatial dropout: in training, each whole channel of an image becomes 0 with this probability, and
/// the others grow so that the mean stays (Tompson et al. 2015). As Keras's `SpatialDropout2D` and
/// torch's `Dropout2d`. Nothing happens in evaluation.
///
/// Neighbouring pixels of a feature map are much alike, so that dropping single values takes little
/// away: use this between convolutions, and `dropout` after the pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SpatialDropout(
    /// The probability, from 0 to below 1.
    #[serde(deserialize_with = "arguments::probability")]
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub f64,
);

impl Layer for SpatialDropout {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        match input {
            Shape::Image { .. } => Ok(*input),
            Shape::Features(_) => {
                Err(LayerError::Shape("it drops channels of an image: over a vector of features use `dropout`".into()))
            }
        }
    }

    fn is_random(&self) -> bool {
        self.0 > 0.0
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn kept_for_backward(&self, _: &[Shape], output: Shape) -> Kept {
        Kept { extra: if self.is_random() { output.channels() } else { 0 }, ..Kept::NOTHING }
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
        let [samples, _, _, channels] = *exactly(x.dims())?;
        let mask = pass.draw(samples, channels, kept_or_dropped(self.0));
        let mask = Tensor::from_vec(x.device(), mask, &[samples, channels])?;
        Ok(D::scale(pass.tape, x, &mask, Broadcast::SampleChannel)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Trial, check_gradient, evaluate, image, parse, parse_error, shape_error, tensor};
    use super::*;
    use crate::engine::Cpu;

    /// 64 samples of 2x3 pixels and 20 channels.
    fn ones() -> Tensor<Cpu> {
        tensor(&[64, 2, 3, 20], &vec![1.0; 64 * 6 * 20])
    }

    fn drop(trial: &Trial, p: f64) -> Vec<f32> {
        trial.run(SpatialDropout(p), &[ones()], &[]).values
    }

    #[test]
    fn reads_a_probability_and_takes_images() {
        assert_eq!(parse("spatial_dropout: 0.2"), SpatialDropout(0.2).into());
        assert!(parse_error("spatial_dropout: 1").contains("is not from 0 to below 1"));
        assert_eq!(SpatialDropout(0.5).output(&[image(2, 3, 4)]).unwrap(), image(2, 3, 4));
        assert!(shape_error(SpatialDropout(0.5), &[Shape::Features(4)]).contains("use `dropout`"));
    }

    #[test]
    fn channels_are_dropped_whole_and_the_rest_grows() {
        let values = drop(&Trial::training(), 0.25);
        let mut dropped = 0;
        for sample in values.chunks(120) {
            for channel in 0..20 {
                let of_channel: Vec<f32> = sample.iter().skip(channel).step_by(20).copied().collect();
                assert!(of_channel.iter().all(|&value| value == of_channel[0]), "{of_channel:?}");
                assert!(of_channel[0] == 0.0 || (of_channel[0] - 4.0 / 3.0).abs() < 1e-6);
                dropped += usize::from(of_channel[0] == 0.0);
            }
        }
        // 1280 draws with p = 1/4: 320, standard deviation 15.5.
        assert!((260..=380).contains(&dropped), "{dropped}");
    }

    #[test]
    fn nothing_happens_in_evaluation_or_at_zero() {
        assert_eq!(evaluate(SpatialDropout(0.5), &ones(), &[]).values, ones().to_vec());
        assert_eq!(drop(&Trial::training(), 0.0), ones().to_vec());
    }

    #[test]
    fn what_is_dropped_follows_from_seed_node_and_sample() {
        let first = drop(&Trial::training(), 0.5);
        assert_eq!(first, drop(&Trial::training(), 0.5));
        assert_ne!(first, drop(&Trial { seed: 2, ..Trial::training() }, 0.5));
        assert_ne!(first, drop(&Trial { node: 1, ..Trial::training() }, 0.5));
        let turned = drop(&Trial { samples: (0..64).rev().collect(), ..Trial::training() }, 0.5);
        let rows: Vec<&[f32]> = first.chunks(120).collect();
        assert_eq!(rows, turned.chunks(120).rev().collect::<Vec<_>>());
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        check_gradient(&Trial::training(), SpatialDropout(0.4), &[4, 2, 3, 5]);
    }
}
