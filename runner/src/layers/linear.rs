use super::{Layer, LayerError, Layout, ParamDef, Pass, Role, Shape, Units, exactly};
use crate::engine::{Kernels, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Linear map of a vector of features (a fully connected layer): `x · weight + bias`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Output features: a number, or `classes` for one a class of the data.
    pub out: Units,
    /// Whether a learned bias is added.
    #[serde(default = "Linear::with_bias")]
    pub bias: bool,
}

impl Linear {
    /// A linear map with bias.
    pub fn new(out: impl Into<Units>) -> Self {
        Linear { out: out.into(), bias: true }
    }

    /// Without bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Linear { bias: false, ..self }
    }

    fn with_bias() -> bool {
        true
    }

    fn count(&self) -> usize {
        match self.out {
            Units::Classes => 0,
            Units::Count(count) => count,
        }
    }
}

impl Layer for Linear {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        let Shape::Features(_) = input else {
            return Err(LayerError::Shape(
                "it takes a vector of features, not an image: put `global_avg_pool` or `flatten` before it".into(),
            ));
        };
        match self.out {
            Units::Classes => Err(LayerError::Shape("the number of classes is not known here".into())),
            Units::Count(0) => Err(LayerError::Shape("it has no output".into())),
            Units::Count(count) => Ok(Shape::Features(count)),
        }
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamDef> {
        let features = inputs.first().map_or(0, |input| input.count());
        let out = self.count();
        let fans = (features, out);
        let dims = vec![features, out];
        let mut params = vec![ParamDef { name: "weight", dims, role: Role::Weight, layout: Layout::Linear, fans }];
        if self.bias {
            params.push(ParamDef { fans, ..ParamDef::vector("bias", out, Role::Bias) });
        }
        params
    }

    fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
        let features = inputs.first().map_or(0, |input| input.count());
        (features as u64).saturating_mul(output.count() as u64)
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        params: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        match params {
            [weight] => Ok(D::matmul(pass.tape, x, weight)?),
            [weight, bias] => {
                let y = D::matmul(pass.tape, x, weight)?;
                Ok(D::add_bias(pass.tape, &y, bias)?)
            }
            _ => Err(LayerError::Shape(format!("got {} parameters", params.len()))),
        }
    }
}
