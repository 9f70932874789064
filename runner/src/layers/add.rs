use super::{Kept, Layer, LayerError, Pass, Shape};
use crate::engine::{Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The sum of several activations of one shape: a residual connection (He et al. 2016).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Add {
    /// What is added to the entry above: places of earlier entries of the same list, from 0.
    pub with: Vec<usize>,
}

impl Layer for Add {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        match inputs {
            [first, others @ ..] if !others.is_empty() => match others.iter().find(|other| *other != first) {
                None => Ok(*first),
                Some(other) => Err(LayerError::Shape(format!("{first} and {other} cannot be added"))),
            },
            _ => Err(LayerError::Shape("it needs two inputs or more: `with: [PLACE]`".into())),
        }
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn fuses_activation(&self) -> bool {
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
        let [first, middle @ .., last] = inputs else {
            return Err(LayerError::Shape("it needs two inputs or more".into()));
        };
        let mut sum = first.clone();
        for term in middle {
            sum = D::add(pass.tape, &sum, term, None)?;
        }
        Ok(D::add(pass.tape, &sum, last, pass.activation)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Trial, image, parse, parse_error, shape_error, tensor};
    use super::*;
    use crate::engine::Activation;

    #[test]
    fn reads_places() {
        assert_eq!(parse("add: { with: [0, 2] }"), Add { with: vec![0, 2] }.into());
        assert!(parse_error("add: { with: [-1] }").contains("-1"));
    }

    #[test]
    fn shapes_must_be_equal() {
        assert_eq!(Add::default().output(&[image(2, 3, 4), image(2, 3, 4)]).unwrap(), image(2, 3, 4));
        assert_eq!(shape_error(Add::default(), &[image(2, 3, 4), image(2, 3, 5)]), "2x3x4 and 2x3x5 cannot be added");
        assert!(shape_error(Add::default(), &[image(2, 3, 4)]).contains("two inputs"));
    }

    #[test]
    fn is_the_sum_of_all_and_an_activation_runs_within() {
        let terms = [[1., -2.], [10., -20.], [-5., 30.]].map(|values| tensor(&[1, 2], &values));
        assert_eq!(Trial::default().run(Add::default(), &terms, &[]).values, [6., 8.]);
        let fused = Trial { activation: Some(Activation::Relu), ..Trial::default() };
        assert_eq!(fused.run(Add::default(), &terms, &[]).values, [6., 8.]);
        assert_eq!(fused.run(Add::default(), &terms[..2], &[]).values, [11., 0.]);
    }
}
