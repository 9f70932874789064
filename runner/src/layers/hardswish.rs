use super::{Kept, Layer, LayerError, Pass, Shape, exactly};
use crate::engine::{Activation, Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hard swish: `x * relu6(x + 3) / 6` (Howard et al. 2019).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hardswish {}

impl Layer for Hardswish {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        Ok(*input)
    }

    fn activation(&self) -> Option<Activation> {
        Some(Activation::Hardswish)
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn kept_for_backward(&self, _: &[Shape], _: Shape) -> Kept {
        Kept { inputs: true, output: false, extra: 0 }
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        _: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        Ok(D::activate(pass.tape, x, Activation::Hardswish)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, parse, parse_error, tensor};
    use super::*;

    #[test]
    fn reads_its_name_alone() {
        assert_eq!(parse("hardswish"), Hardswish {}.into());
        assert_eq!(parse("hardswish: {}"), Hardswish {}.into());
        assert!(parse_error("hardswish: { inplace: true }").contains("unknown field `inplace`"));
    }

    #[test]
    fn values_by_hand() {
        let x = tensor(&[1, 1, 1, 5], &[-4., -1., 0., 1., 5.]);
        assert_near(&evaluate(Hardswish {}, &x, &[]).values, &[0., -1. / 3., 0., 2. / 3., 5.]);
    }
}
