//! `DropConnect` (Wan et al., "Regularization of neural networks using DropConnect", ICML 2013).

use runner_plugin::random::Random;
use runner_plugin::{Backward, Error, Forward, Layer, Parameter, Shape, parallel};
use serde_json::{Value, json};

runner_plugin::export_layers!(DropConnect);

/// A linear layer with dropped weights.
#[derive(Debug, Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The number of outputs.
    #[schemars(range(min = 1))]
    out: usize,
    /// The probability that a weight is dropped. It is rounded to a multiple of 1/65536.
    #[serde(default = "half")]
    #[schemars(range(min = 0.0, max = 0.9999))]
    p: f64,
    /// Whether a bias is added. It is never dropped.
    #[serde(default = "yes")]
    bias: bool,
}

fn half() -> f64 {
    0.5
}

fn yes() -> bool {
    true
}

/// The layer.
#[derive(Debug)]
pub struct DropConnect {
    outputs: usize,
    bias: bool,
    /// A weight is dropped if its 16 random bits are below this.
    dropped_below: u32,
}

/// As many values as 16 bits have.
const VALUES: u32 = 1 << 16;

impl Layer for DropConnect {
    const NAME: &'static str = "drop_connect";
    const DOCUMENTATION: &'static str = "A linear layer with dropped weights (DropConnect, Wan et al. 2013).\n\n\
        In training each weight is dropped with probability `p`, for every sample anew, and those that are \
        left are scaled by 1 / (1 - p). In evaluation it is a linear layer with all of its weights.";
    const PARAMETERS: bool = true;
    const RANDOM: bool = true;
    const FORGETS_OUTPUT: bool = true;
    type Arguments = Arguments;

    fn examples() -> Vec<Value> {
        vec![json!({ "out": 5 }), json!({ "out": 3, "p": 0.2, "bias": false }), json!({ "out": 2, "p": 0.0 })]
    }

    fn new(Arguments { out, p, bias }: Arguments) -> Result<Self, Error> {
        if out == 0 {
            return Err("out must be at least 1".into());
        }
        let dropped_below = (p * f64::from(VALUES)).round();
        if !(0.0..f64::from(VALUES)).contains(&dropped_below) {
            return Err(format!("p must be from 0 to 0.9999, not {p}").into());
        }
        Ok(DropConnect { outputs: out, bias, dropped_below: dropped_below as u32 })
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        inputs[0].features()?;
        Ok([self.outputs].into())
    }

    fn parameters(&self, inputs: &[Shape]) -> Vec<Parameter> {
        let features = inputs[0].count();
        let weight = Parameter::weight("weight", [features, self.outputs], features, self.outputs);
        let bias = self.bias.then(|| Parameter::constant("bias", [self.outputs], 0.0));
        std::iter::once(weight).chain(bias).collect()
    }

    fn multiply_adds(&self, inputs: &[Shape]) -> u64 {
        (inputs[0].count() * self.outputs) as u64
    }

    fn forward(&self, pass: &mut Forward<'_>) -> Result<(), Error> {
        let (input, weight, bias) = (pass.inputs[0], pass.parameters[0].values(), pass.parameters.get(1));
        let masks = self.masks(pass.training, pass.random);
        parallel::for_each(pass.output.chunks_mut(self.outputs), |sample, y| {
            y.fill(0.0);
            let mut mask = masks.begin();
            for (feature, (x, weight)) in input.row(sample).iter().zip(weight.chunks(self.outputs)).enumerate() {
                masks.draw(sample, feature, &mut mask);
                add_product(y, *x, weight, &mask.factors);
            }
            if let Some(bias) = bias {
                add(y, bias.values());
            }
        });
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_>) -> Result<(), Error> {
        let (input, weight, dy) = (pass.inputs[0], pass.parameters[0].values(), pass.output_gradient);
        let (outputs, batch, features) = (self.outputs, pass.batch, input.shape().count());
        let masks = self.masks(pass.training, pass.random);
        let (weight_gradient, bias_gradient) = pass.parameter_gradients.split_at_mut(1);
        let input_gradient = &mut pass.input_gradients[0];
        // By feature, so that no two threads add to one place: that of the input is computed by columns.
        let mut columns = input_gradient.as_ref().map(|_| vec![0.0; features * batch]);
        let dw = chunks(weight_gradient[0].as_deref_mut(), outputs, features);
        let dx = chunks(columns.as_deref_mut(), batch, features);
        parallel::for_each(dw.into_iter().zip(dx), |feature, (mut dw, mut dx)| {
            let weight = &weight[feature * outputs..(feature + 1) * outputs];
            let mut mask = masks.begin();
            for (sample, dy) in dy.chunks(outputs).enumerate() {
                masks.draw(sample, feature, &mut mask);
                if let Some(dx) = &mut dx {
                    dx[sample] = sum_of_products(weight, dy, &mask.factors);
                }
                if let Some(dw) = &mut dw {
                    add_product(dw, input.row(sample)[feature], dy, &mask.factors);
                }
            }
        });
        if let (Some(dx), Some(columns)) = (input_gradient, columns) {
            for (i, dx) in dx.iter_mut().enumerate() {
                *dx += columns[i % features * batch + i / features];
            }
        }
        if let Some(Some(bias)) = bias_gradient.first_mut() {
            dy.chunks(outputs).for_each(|dy| add(bias, dy));
        }
        Ok(())
    }
}

impl DropConnect {
    fn masks<'a>(&self, training: bool, random: Random<'a>) -> Masks<'a> {
        let random = Some(random).filter(|_| training && self.dropped_below > 0);
        let kept = f64::from(VALUES - self.dropped_below) / f64::from(VALUES);
        Masks { random, dropped_below: self.dropped_below, scale: (1.0 / kept) as f32, outputs: self.outputs }
    }
}

/// Which weights are dropped: drawn when needed, in forward and again in backward, and never kept.
struct Masks<'a> {
    /// None if all weights are kept.
    random: Option<Random<'a>>,
    dropped_below: u32,
    /// What the weights that are kept are multiplied by.
    scale: f32,
    outputs: usize,
}

/// The mask of the weights of one feature for one sample.
struct Mask {
    /// By output: 0 if the weight is dropped, else the scale.
    factors: Vec<f32>,
    /// Two outputs a number: whole blocks of random numbers.
    numbers: Vec<u32>,
}

impl Masks<'_> {
    /// A mask that keeps all.
    fn begin(&self) -> Mask {
        Mask { factors: vec![1.0; self.outputs], numbers: vec![0; self.outputs.div_ceil(8) * 4] }
    }

    /// Draws the mask of `feature` for `sample`.
    fn draw(&self, sample: usize, feature: usize, mask: &mut Mask) {
        let Some(random) = self.random else { return };
        let Mask { factors, numbers } = mask;
        random.row(sample).at((feature * numbers.len()) as u64).fill(numbers);
        let factor = |number| if number < self.dropped_below { 0.0 } else { self.scale };
        // The first half of the outputs by the lower bits, the other half by the upper.
        let (first, second) = factors.split_at_mut(self.outputs.min(numbers.len()));
        first.iter_mut().zip(&*numbers).for_each(|(to, number)| *to = factor(number % VALUES));
        second.iter_mut().zip(&*numbers).for_each(|(to, number)| *to = factor(number / VALUES));
    }
}

/// Slices of `length` values each; as many times none where there are no values.
fn chunks(values: Option<&mut [f32]>, length: usize, count: usize) -> Vec<Option<&mut [f32]>> {
    match values {
        Some(values) => values.chunks_mut(length.max(1)).map(Some).collect(),
        None => (0..count).map(|_| None).collect(),
    }
}

/// `to[i] += values[i]`
fn add(to: &mut [f32], values: &[f32]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
}

/// `to[i] += x * values[i] * factors[i]`
fn add_product(to: &mut [f32], x: f32, values: &[f32], factors: &[f32]) {
    to.iter_mut().zip(values).zip(factors).for_each(|((to, value), factor)| *to += x * value * factor);
}

/// The sum of `a[i] * b[i] * c[i]`, in eight parts so that the compiler makes vectors of them.
fn sum_of_products(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for ((a, b), c) in a.chunks(8).zip(b.chunks(8)).zip(c.chunks(8)) {
        for (((sum, a), b), c) in sums.iter_mut().zip(a).zip(b).zip(c) {
            *sum += a * b * c;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests;
