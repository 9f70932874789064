use super::{Kept, Layer, LayerError, Layout, ParamDef, Pass, Role, Shape, arguments, exactly};
use crate::engine::{Activation, Broadcast, Kernels, Tape, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Squeeze and excitation (Hu et al. 2018): each channel is scaled by a gate between 0 and 1, which
/// a small net of two 1x1 convolutions computes from the means of all channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqueezeExcite {
    /// Channels between the two convolutions.
    #[serde(deserialize_with = "arguments::count")]
    pub squeeze: usize,
    /// The non-linearity between the two convolutions.
    #[serde(default)]
    pub activation: SqueezeActivation,
    /// What brings the result into 0 to 1.
    #[serde(default)]
    pub gate: Gate,
}

/// The non-linearity between the two convolutions of a `squeeze_excite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SqueezeActivation {
    /// `max(x, 0)`: the original, and `MobileNetV3`.
    #[default]
    Relu,
    /// `x * sigmoid(x)`: EfficientNet.
    Silu,
}

/// What brings the gate of a `squeeze_excite` into 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// `1 / (1 + exp(-x))`: the original, and EfficientNet.
    #[default]
    Sigmoid,
    /// `relu6(x + 3) / 6`: `MobileNetV3`.
    Hardsigmoid,
}

impl SqueezeExcite {
    /// With `ReLU` and a sigmoid gate, as the original.
    pub fn new(squeeze: usize) -> Self {
        SqueezeExcite { squeeze, activation: SqueezeActivation::Relu, gate: Gate::Sigmoid }
    }

    /// With this non-linearity between the convolutions.
    #[must_use]
    pub fn activation(self, activation: SqueezeActivation) -> Self {
        SqueezeExcite { activation, ..self }
    }

    /// With this gate.
    #[must_use]
    pub fn gate(self, gate: Gate) -> Self {
        SqueezeExcite { gate, ..self }
    }
}

/// `x · weight + bias`, `x` (N, in), `weight` of a 1x1 convolution.
fn pointwise<D: Kernels>(
    tape: &mut Tape<D>,
    x: &Tensor<D>,
    weight: &Tensor<D>,
    bias: &Tensor<D>,
) -> Result<Tensor<D>, LayerError> {
    let [_, _, channels, out] = *exactly(weight.dims())?;
    let y = D::matmul(tape, x, &weight.reshape(&[channels, out])?)?;
    Ok(D::add_bias(tape, &y, bias)?)
}

/// `relu6(x + 3) / 6` of `x` (N, C).
fn hardsigmoid<D: Kernels>(tape: &mut Tape<D>, x: &Tensor<D>) -> Result<Tensor<D>, LayerError> {
    let [samples, channels] = *exactly(x.dims())?;
    let three = Tensor::from_vec(x.device(), vec![3.0; channels], &[channels])?;
    let sixth = Tensor::from_vec(x.device(), vec![1.0 / 6.0; samples], &[samples])?;
    let raised = D::add_bias(tape, x, &three)?;
    let clipped = D::activate(tape, &raised, Activation::Relu6)?;
    Ok(D::scale(tape, &clipped, &sixth, Broadcast::Sample)?)
}

impl Layer for SqueezeExcite {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let [input] = exactly(inputs)?;
        input.image()?;
        Ok(*input)
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamDef> {
        let channels = inputs.first().map_or(0, |input| input.channels());
        let weight = |name, from, to| ParamDef::weight(name, vec![1, 1, from, to], Layout::Conv, (from, to));
        let bias = |name, from, to| ParamDef { fans: (from, to), ..ParamDef::vector(name, to, Role::Bias) };
        vec![
            weight("reduce.weight", channels, self.squeeze),
            bias("reduce.bias", channels, self.squeeze),
            weight("expand.weight", self.squeeze, channels),
            bias("expand.bias", self.squeeze, channels),
        ]
    }

    fn multiply_adds(&self, _: &[Shape], output: Shape) -> u64 {
        (2 * output.channels() as u64).saturating_mul(self.squeeze as u64)
    }

    fn kept_for_backward(&self, _: &[Shape], output: Shape) -> Kept {
        Kept { inputs: true, output: false, extra: 3 * output.channels() + 2 * self.squeeze }
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        params: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let [x] = exactly(inputs)?;
        let [reduce_weight, reduce_bias, expand_weight, expand_bias] = exactly(params)?;
        let [samples, _, _, channels] = *exactly(x.dims())?;
        let means = D::adaptive_avg_pool(pass.tape, x, [1, 1])?.reshape(&[samples, channels])?;
        let squeezed = pointwise(pass.tape, &means, reduce_weight, reduce_bias)?;
        let activation = match self.activation {
            SqueezeActivation::Relu => Activation::Relu,
            SqueezeActivation::Silu => Activation::Silu,
        };
        let squeezed = D::activate(pass.tape, &squeezed, activation)?;
        let excited = pointwise(pass.tape, &squeezed, expand_weight, expand_bias)?;
        let gate = match self.gate {
            Gate::Sigmoid => D::activate(pass.tape, &excited, Activation::Sigmoid)?,
            Gate::Hardsigmoid => hardsigmoid(pass.tape, &excited)?,
        };
        Ok(D::scale(pass.tape, x, &gate, Broadcast::SampleChannel)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, image, parse, parse_error, shape_error, tensor};
    use super::*;
    use crate::engine::Cpu;

    #[test]
    fn reads_every_form() {
        assert_eq!(parse("squeeze_excite: { squeeze: 8 }"), SqueezeExcite::new(8).into());
        assert_eq!(
            parse("squeeze_excite: { squeeze: 8, activation: silu, gate: hardsigmoid }"),
            SqueezeExcite::new(8).activation(SqueezeActivation::Silu).gate(Gate::Hardsigmoid).into()
        );
        assert!(parse_error("squeeze_excite: { squeeze: 8, gate: tanh }").contains("unknown variant `tanh`"));
    }

    #[test]
    fn has_two_pointwise_convolutions() {
        let layer = SqueezeExcite::new(8);
        let params = layer.params(&[image(5, 5, 32)]);
        let facts: Vec<_> = params.iter().map(|param| (&param.name[..], param.dims.as_slice())).collect();
        let expected: [(&str, &[usize]); 4] = [
            ("reduce.weight", &[1, 1, 32, 8]),
            ("reduce.bias", &[8]),
            ("expand.weight", &[1, 1, 8, 32]),
            ("expand.bias", &[32]),
        ];
        assert_eq!(facts, expected);
        assert_eq!(layer.output(&[image(5, 5, 32)]).unwrap(), image(5, 5, 32));
        assert_eq!(layer.multiply_adds(&[image(5, 5, 32)], image(5, 5, 32)), 2 * 32 * 8);
        assert!(shape_error(layer, &[Shape::Features(32)]).contains("it takes an image"));
    }

    /// One channel through one squeezed channel.
    fn params(reduce: f32, expand: f32) -> [Tensor<Cpu>; 4] {
        let weight = |value| tensor(&[1, 1, 1, 1], &[value]);
        [weight(reduce), tensor(&[1], &[0.25]), weight(expand), tensor(&[1], &[0.5])]
    }

    #[test]
    fn channels_are_scaled_by_the_gate() {
        let x = tensor(&[1, 1, 2, 1], &[1., 3.]);
        // Mean 2, squeezed 2 * 0.5 + 0.25 = 1.25, excited 1.25 * 0.8 + 0.5 = 1.5.
        let hard = SqueezeExcite::new(1).gate(Gate::Hardsigmoid);
        assert_near(&evaluate(hard.clone(), &x, &params(0.5, 0.8)).values, &[0.75, 2.25]);
        let soft = 1.0 / (1.0 + (-1.5_f32).exp());
        assert_near(&evaluate(SqueezeExcite::new(1), &x, &params(0.5, 0.8)).values, &[soft, 3.0 * soft]);
        // Squeezed -2 * 0.5 + 0.25 < 0: only the expanding bias is left.
        assert_near(&evaluate(hard, &x, &params(-0.5, 0.8)).values, &[3.5 / 6., 3.5 / 2.]);
        let silu = 1.25 / (1.0 + (-1.25_f32).exp());
        let gate = (silu * 0.8 + 3.5) / 6.0;
        let layer = SqueezeExcite::new(1).activation(SqueezeActivation::Silu).gate(Gate::Hardsigmoid);
        assert_near(&evaluate(layer, &x, &params(0.5, 0.8)).values, &[gate, 3.0 * gate]);
    }
}
