//! The layer `my_layer`: y = x above 0, slope * x below, with a learned slope for each channel
//! (PReLU, He et al. 2015). A beginning: change it into what you need.

use runner_plugin::{Backward, Error, Forward, Layer, Parameter, Shape};

runner_plugin::export_layers!(MyLayer);

/// What a pipeline may give.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct MyLayer {
    /// The slopes at first.
    #[serde(default = "quarter")]
    slope: f32,
}

fn quarter() -> f32 {
    0.25
}

impl Layer for MyLayer {
    const NAME: &'static str = "my_layer";
    const DOCUMENTATION: &'static str = "A ReLU with a learned slope below 0 for each channel.";
    const PARAMETERS: bool = true;
    const FORGETS_OUTPUT: bool = true;
    type Arguments = Self;

    fn examples() -> Vec<serde_json::Value> {
        vec![serde_json::json!({}), serde_json::json!({ "slope": 0.1 })]
    }

    fn new(arguments: Self) -> Result<Self, Error> {
        Ok(arguments)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        Ok(inputs[0])
    }

    fn parameters(&self, inputs: &[Shape]) -> Vec<Parameter> {
        // Channels are the last dimension: of images (H, W, C) as of features (F).
        let channels = *inputs[0].dims().last().unwrap_or(&1);
        vec![Parameter::constant("slope", [channels], self.slope)]
    }

    fn forward(&self, pass: &mut Forward<'_>) -> Result<(), Error> {
        let slopes = pass.parameters[0].values().iter().cycle();
        for ((y, x), slope) in pass.output.iter_mut().zip(pass.inputs[0].values()).zip(slopes) {
            *y = if *x > 0.0 { *x } else { slope * x };
        }
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_>) -> Result<(), Error> {
        let (x, dy, slopes) = (pass.inputs[0].values(), pass.output_gradient, pass.parameters[0].values());
        if let Some(dx) = &mut pass.input_gradients[0] {
            for (i, dx) in dx.iter_mut().enumerate() {
                *dx += if x[i] > 0.0 { dy[i] } else { slopes[i % slopes.len()] * dy[i] };
            }
        }
        if let Some(dslope) = &mut pass.parameter_gradients[0] {
            for (i, x) in x.iter().enumerate().filter(|(_, x)| **x <= 0.0) {
                dslope[i % slopes.len()] += x * dy[i];
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::MyLayer;
    use runner_plugin::testing::{Trial, Values};
    use serde_json::json;

    #[test]
    fn values_below_0_are_multiplied_and_gradients_are_right() {
        let layer = Trial::<MyLayer>::new(json!({ "slope": 0.5 })).unwrap();
        let x = Values::new([1, 2], vec![3.0, -2.0]);
        let slopes = layer.initial(std::slice::from_ref(&x), 1).unwrap();
        assert_eq!(layer.forward(&[x], &slopes).unwrap(), [3.0, -1.0]);

        let (x, slopes) = (Values::random([2, 3, 3, 4], 1), Values::random([4], 2));
        layer.check_gradients(&[x], &[slopes]);
    }
}
