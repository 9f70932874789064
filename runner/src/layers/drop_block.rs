use super::{Kept, Layer, LayerError, Pass, Shape, arguments, exactly};
use crate::engine::{Broadcast, Kernels, Tensor};
use crate::random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `DropBlock`: in training, squares of each feature map become 0, each channel its own, and the rest
/// grows so that the sum of what is left is as if nothing were dropped (Ghiasi et al. 2018). Nothing
/// happens in evaluation.
///
/// A square may begin wherever it lies within the map whole, and does so with the probability that
/// makes `rate` the share of values dropped, overlaps apart: `rate / b^2 * h * w / ((h - b + 1) (w - b + 1))`.
/// What is left is scaled by all values over those left, counted sample by sample. The rate is
/// constant: the paper's scheduled form raises it over the training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DropBlock {
    /// The share of values that are dropped, about, from 0 to below 1.
    #[serde(deserialize_with = "arguments::probability")]
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub rate: f64,
    /// Height and width of a square, in pixels of the feature map; a map that is smaller is dropped
    /// whole.
    #[serde(default = "DropBlock::default_size", deserialize_with = "arguments::count")]
    #[schemars(range(min = 1))]
    pub block_size: usize,
}

impl DropBlock {
    /// The paper's.
    fn default_size() -> usize {
        7
    }

    /// The factor of each value of one sample.
    fn mask(&self, [height, width, channels]: [usize; 3], random: &mut Stream) -> Vec<f32> {
        let [rows, columns] = [height, width].map(|side| self.block_size.min(side));
        let [tops, lefts] = [height + 1 - rows, width + 1 - columns];
        let begins = self.rate / (rows * columns) as f64 * (height * width) as f64 / (tops * lefts) as f64;
        let mut mask = vec![1.0_f32; height * width * channels];
        for top in 0..tops {
            for left in 0..lefts {
                for channel in (0..channels).filter(|_| random.chance(begins as f32)).collect::<Vec<_>>() {
                    for pixel in (top..top + rows).flat_map(|y| (left..left + columns).map(move |x| y * width + x)) {
                        mask[pixel * channels + channel] = 0.0;
                    }
                }
            }
        }
        let kept = mask.iter().filter(|&&factor| factor > 0.0).count();
        if kept > 0 {
            let grown = (mask.len() as f64 / kept as f64) as f32;
            for factor in &mut mask {
                *factor *= grown;
            }
        }
        mask
    }
}

impl Layer for DropBlock {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        match input {
            Shape::Image { .. } => Ok(*input),
            Shape::Features(_) => {
                Err(LayerError::Shape("it drops squares of an image: over a vector of features use `dropout`".into()))
            }
        }
    }

    fn is_random(&self) -> bool {
        self.rate > 0.0
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
        let [samples, height, width, channels] = *exactly(x.dims())?;
        let mask = (0..samples).flat_map(|row| self.mask([height, width, channels], &mut pass.random(row)));
        let mask = Tensor::from_vec(x.device(), mask.collect(), x.dims())?;
        Ok(D::scale(pass.tape, x, &mask, Broadcast::Element)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Trial, check_gradient, evaluate, image, parse, parse_error, shape_error, tensor};
    use super::*;

    const DIMS: [usize; 4] = [64, 9, 8, 3];

    fn ones() -> Tensor<crate::engine::Cpu> {
        tensor(&DIMS, &vec![1.0; DIMS.iter().product()])
    }

    fn layer(rate: f64, block_size: usize) -> DropBlock {
        DropBlock { rate, block_size }
    }

    fn drop(trial: &Trial, rate: f64, size: usize) -> Vec<f32> {
        trial.run(layer(rate, size), &[ones()], &[]).values
    }

    #[test]
    fn reads_its_arguments_and_takes_images() {
        assert_eq!(parse("drop_block: { rate: 0.1 }"), layer(0.1, 7).into());
        assert_eq!(parse("drop_block: { rate: 0.1, block_size: 3 }"), layer(0.1, 3).into());
        assert!(parse_error("drop_block: { rate: 1 }").contains("is not from 0 to below 1"));
        assert!(parse_error("drop_block: { rate: 0.1, block_size: 0 }").contains("0 is not from 1"));
        assert_eq!(layer(0.5, 3).output(&[image(2, 3, 4)]).unwrap(), image(2, 3, 4));
        assert!(shape_error(layer(0.5, 3), &[Shape::Features(4)]).contains("use `dropout`"));
    }

    #[test]
    fn what_is_dropped_is_made_of_squares() {
        let values = drop(&Trial::training(), 0.05, 3);
        let at = |sample: usize, y: usize, x: usize, channel: usize| values[((sample * 9 + y) * 8 + x) * 3 + channel];
        let mut dropped = 0;
        for sample in 0..64 {
            for channel in 0..3 {
                let whole = |top: usize, left: usize| {
                    (top..top + 3).all(|y| (left..left + 3).all(|x| at(sample, y, x, channel) == 0.0))
                };
                for (y, x) in (0..9).flat_map(|y| (0..8).map(move |x| (y, x))) {
                    if at(sample, y, x, channel) == 0.0 {
                        dropped += 1;
                        let tops = y.saturating_sub(2)..=y.min(6);
                        let covered =
                            tops.flat_map(|top| (x.saturating_sub(2)..=x.min(5)).map(move |left| (top, left)));
                        assert!(covered.into_iter().any(|(top, left)| whole(top, left)), "({y}, {x}) stands alone");
                    }
                }
            }
        }
        // 13824 values, 5%: 691, less the overlaps; squares of 9 spread it by about 77.
        assert!((400..=950).contains(&dropped), "{dropped}");
    }

    #[test]
    fn the_sum_stays_sample_by_sample() {
        let values = drop(&Trial::training(), 0.2, 3);
        let mut different = 0;
        for sample in values.chunks(9 * 8 * 3) {
            let sum: f64 = sample.iter().map(|&value| f64::from(value)).sum();
            assert!((sum - 216.0).abs() < 1e-3, "{sum}");
            different += usize::from(sample[..3].iter().any(|&value| value != sample[0]));
        }
        assert!(different > 0, "channels have squares of their own");
    }

    #[test]
    fn a_block_of_the_maps_size_drops_channels_whole() {
        let values = drop(&Trial::training(), 0.3, 100);
        let mut dropped = 0;
        for sample in values.chunks(216) {
            for channel in 0..3 {
                let of_channel: Vec<f32> = sample.iter().skip(channel).step_by(3).copied().collect();
                assert!(of_channel.iter().all(|&value| value == of_channel[0]));
                dropped += usize::from(of_channel[0] == 0.0);
            }
        }
        // 192 draws with p = 0.3: 57.6, standard deviation 6.3.
        assert!((32..=83).contains(&dropped), "{dropped}");
    }

    #[test]
    fn nothing_happens_in_evaluation_or_at_zero() {
        assert_eq!(evaluate(layer(0.5, 3), &ones(), &[]).values, ones().to_vec());
        assert_eq!(drop(&Trial::training(), 0.0, 3), ones().to_vec());
    }

    #[test]
    fn what_is_dropped_follows_from_seed_node_and_sample() {
        let first = drop(&Trial::training(), 0.3, 3);
        assert_eq!(first, drop(&Trial::training(), 0.3, 3));
        assert_ne!(first, drop(&Trial { seed: 2, ..Trial::training() }, 0.3, 3));
        assert_ne!(first, drop(&Trial { node: 1, ..Trial::training() }, 0.3, 3));
        let turned = drop(&Trial { samples: (0..64).rev().collect(), ..Trial::training() }, 0.3, 3);
        assert_eq!(first.chunks(216).collect::<Vec<_>>(), turned.chunks(216).rev().collect::<Vec<_>>());
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        check_gradient(&Trial::training(), layer(0.3, 2), &[3, 5, 4, 2]);
    }
}
