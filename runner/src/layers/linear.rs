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
        let mut params = vec![ParamDef::weight("weight", dims, Layout::Linear, fans)];
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

#[cfg(test)]
mod tests {
    use super::super::AnyLayer;
    use super::super::testing::{evaluate, image, parse, parse_error, shape_error, tensor};
    use super::*;

    #[test]
    fn reads_a_number_or_the_word_classes() {
        assert_eq!(parse("linear: { out: 10 }"), Linear::new(10).into());
        assert_eq!(parse("linear: { out: classes, bias: false }"), Linear::new(Units::Classes).without_bias().into());
        assert!(parse_error("linear: { out: class }").contains("a whole number from 1, or `classes`"));
        assert!(parse_error("linear: { out: 0 }").contains("0 is not from 1 to 65536"));
        assert!(parse_error("linear: { out: -3 }").contains("-3 is not from 1 to 65536"));
        assert!(parse_error("linear: { out: 2.5 }").contains("a whole number from 1, or `classes`"));
    }

    #[test]
    fn classes_are_put_in() {
        let layer = AnyLayer::from(Linear::new(Units::Classes));
        assert!(shape_error(layer.clone(), &[Shape::Features(4)]).contains("classes"));
        assert_eq!(layer.with_classes(7).output(&[Shape::Features(4)]).unwrap(), Shape::Features(7));
        assert_eq!(AnyLayer::from(Linear::new(3)).with_classes(7), Linear::new(3).into());
    }

    #[test]
    fn an_image_is_refused_with_advice() {
        let said = shape_error(Linear::new(10), &[image(7, 7, 4)]);
        assert!(said.contains("put `global_avg_pool` or `flatten` before it"), "{said}");
    }

    #[test]
    fn counts_parameters_and_multiply_adds() {
        let params = Linear::new(10).params(&[Shape::Features(4)]);
        let [weight, bias] = &params[..] else { panic!("{params:?}") };
        assert_eq!((&weight.dims[..], weight.layout, weight.fans), (&[4, 10][..], Layout::Linear, (4, 10)));
        assert_eq!((&bias.dims[..], bias.role, bias.fans), (&[10][..], Role::Bias, (4, 10)));
        assert_eq!(Linear::new(10).multiply_adds(&[Shape::Features(4)], Shape::Features(10)), 40);
        assert_eq!(Linear::new(10).without_bias().params(&[Shape::Features(4)]).len(), 1);
    }

    #[test]
    fn is_a_product_and_a_sum() {
        let x = tensor(&[2, 2], &[1., 2., 3., 4.]);
        let weight = tensor(&[2, 3], &[1., 2., 3., 4., 5., 6.]);
        let bias = tensor(&[3], &[0.5, 0., -0.5]);
        let y = evaluate(Linear::new(3), &x, &[weight.clone(), bias]);
        assert_eq!(y.dims, [2, 3]);
        assert_eq!(y.values, [9.5, 12., 14.5, 19.5, 26., 32.5]);
        assert_eq!(evaluate(Linear::new(3).without_bias(), &x, &[weight]).values, [9., 12., 15., 19., 26., 33.]);
    }
}
