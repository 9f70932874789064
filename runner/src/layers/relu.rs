use super::{Kept, Layer, LayerError, Pass, Shape, exactly};
use crate::engine::{Activation, Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rectified linear unit: `max(x, 0)`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Relu {}

impl Layer for Relu {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        Ok(*input)
    }

    fn activation(&self) -> Option<Activation> {
        Some(Activation::Relu)
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn kept_for_backward(&self, _: &[Shape], _: Shape) -> Kept {
        Kept { inputs: false, output: true, extra: 0 }
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        _: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        Ok(D::activate(pass.tape, x, Activation::Relu)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, parse, parse_error, tensor};
    use super::*;

    #[test]
    fn reads_its_name_alone() {
        assert_eq!(parse("relu"), Relu {}.into());
        assert_eq!(parse("relu: {}"), Relu {}.into());
        assert!(parse_error("relu: { inplace: true }").contains("unknown field `inplace`"));
    }

    #[test]
    fn values_by_hand() {
        let x = tensor(&[1, 1, 1, 5], &[-2., -0.5, 0., 0.5, 7.]);
        assert_near(&evaluate(Relu {}, &x, &[]).values, &[0., 0., 0., 0.5, 7.]);
    }
}
