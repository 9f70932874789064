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

    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        (inputs.len().saturating_sub(1) as u64).saturating_mul(output.count() as u64)
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
