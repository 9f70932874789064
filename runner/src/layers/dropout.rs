use super::pass::kept_or_dropped;
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
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
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
        let mask = pass.draw(samples, values, kept_or_dropped(self.0));
        let mask = Tensor::from_vec(x.device(), mask, x.dims())?;
        Ok(D::scale(pass.tape, x, &mask, Broadcast::Element)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Trial, evaluate, image, parse, parse_error, tensor};
    use super::*;
    use crate::engine::Cpu;

    fn ones() -> Tensor<Cpu> {
        tensor(&[64, 2, 5, 10], &vec![1.0; 6400])
    }

    fn drop(trial: &Trial, p: f64) -> Vec<f32> {
        trial.run(Dropout(p), &[ones()], &[]).values
    }

    #[test]
    fn reads_a_probability() {
        assert_eq!(parse("dropout: 0.2"), Dropout(0.2).into());
        assert_eq!(parse("dropout: 0"), Dropout(0.0).into());
        assert!(parse_error("dropout").contains("`dropout` needs a value"));
        for bad in ["1", "-0.1", "20", ".nan"] {
            assert!(parse_error(&format!("dropout: {bad}")).contains("is not from 0 to below 1"), "{bad}");
        }
        assert_eq!(Dropout(0.5).output(&[image(2, 3, 4)]).unwrap(), image(2, 3, 4));
    }

    #[test]
    fn the_share_dropped_is_p_and_the_rest_grows() {
        let values = drop(&Trial::training(), 0.25);
        let dropped = values.iter().filter(|&&value| value == 0.0).count();
        // 6400 draws with p = 1/4: 1600, standard deviation 34.6.
        assert!((1460..=1740).contains(&dropped), "{dropped}");
        assert!(values.iter().all(|&value| value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6));
    }

    #[test]
    fn nothing_happens_in_evaluation_or_at_zero() {
        assert_eq!(evaluate(Dropout(0.5), &ones(), &[]).values, vec![1.0; 6400]);
        assert_eq!(drop(&Trial::training(), 0.0), vec![1.0; 6400]);
    }

    #[test]
    fn what_is_dropped_follows_from_seed_node_and_sample() {
        let first = drop(&Trial::training(), 0.5);
        assert_eq!(first, drop(&Trial::training(), 0.5));
        assert_ne!(first, drop(&Trial { seed: 2, ..Trial::training() }, 0.5));
        assert_ne!(first, drop(&Trial { node: 1, ..Trial::training() }, 0.5));

        let turned = drop(&Trial { samples: (0..64).rev().collect(), ..Trial::training() }, 0.5);
        let rows: Vec<&[f32]> = first.chunks(100).collect();
        let turned: Vec<&[f32]> = turned.chunks(100).rev().collect();
        assert_eq!(rows, turned);
        assert_ne!(rows[0], rows[1]);
    }
}
