//! Layers that work, and gradients that do not, by way of trials.

use runner_plugin::export::LayerTable;
use runner_plugin::testing::{Trial, Values};
use runner_plugin::{Backward, Error, Forward, Init, Layer, NoArguments, Parameter, Shape, parallel};
use serde_json::json;

/// Two inputs and two parameters: y = a * scale + b^2 + shift, with noise on `a` in training.
/// Backward knows `b` from the scratch alone. With `wrong`, one gradient is wrong.
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Mix {
    wrong: Option<Wrong>,
}

#[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Wrong {
    Input,
    Parameter,
    Overwrites,
    Unwritten,
    Interferes,
}

impl Mix {
    fn is(&self, wrong: &Wrong) -> bool {
        self.wrong.as_ref() == Some(wrong)
    }
}

fn noise(training: bool, random: runner_plugin::random::Random<'_>, row: usize, width: usize) -> Vec<f32> {
    let mut stream = random.row(row);
    (0..width).map(|_| if training { 0.5 + stream.uniform() } else { 1.0 }).collect()
}

impl Layer for Mix {
    const NAME: &'static str = "mix";
    const DOCUMENTATION: &'static str = "Mixes.";
    const INPUTS: std::ops::RangeInclusive<usize> = 2..=2;
    const PARAMETERS: bool = true;
    const RANDOM: bool = true;
    const FORGETS_OUTPUT: bool = true;
    type Arguments = Self;

    fn new(arguments: Self) -> Result<Self, Error> {
        Ok(arguments)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        inputs[1].features()?;
        Ok(inputs[0].features()?).map(|width| [width].into())
    }

    fn parameters(&self, inputs: &[Shape]) -> Vec<Parameter> {
        let width = inputs[0].count();
        vec![
            Parameter::normal("scale", [width], 1.0, 0.1),
            Parameter::weight("shift", [1, width], width, 1).decay(false),
        ]
    }

    fn scratch_bytes(&self, inputs: &[Shape], batch: usize) -> usize {
        batch * inputs[1].count() * size_of::<f64>()
    }

    fn multiply_adds(&self, inputs: &[Shape]) -> u64 {
        2 * inputs[0].count() as u64
    }

    fn forward(&self, pass: &mut Forward<'_>) -> Result<(), Error> {
        let Forward { inputs, parameters, output, scratch, random, training, .. } = pass;
        let (width, random, training) = (inputs[0].shape().count(), *random, *training);
        let (scale, shift) = (parameters[0].values(), parameters[1].values());
        let rows = output.chunks_mut(width).zip(scratch.numbers::<f64>().chunks_mut(width));
        parallel::for_each(rows, |n, (y, kept)| {
            let noise = noise(training, random, n, width);
            let (a, b) = (inputs[0].row(n), inputs[1].row(n));
            for i in 0..width {
                kept[i] = f64::from(b[i]);
                y[i] = a[i] * noise[i] * scale[i] + b[i] * b[i] + shift[i];
            }
        });
        if self.is(&Wrong::Unwritten) {
            output[3] = f32::NAN;
        }
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_>) -> Result<(), Error> {
        let Backward { inputs, parameters, scratch, random, training, .. } = pass;
        let (width, random, training) = (inputs[0].shape().count(), *random, *training);
        let (scale, dy, kept) = (parameters[0].values(), pass.output_gradient, scratch.numbers::<f64>());
        let all_wanted = pass.input_gradients.iter().all(Option::is_some);
        if let Some(da) = &mut pass.input_gradients[0] {
            parallel::for_each(da.chunks_mut(width), |n, da| {
                let noise = noise(training, random, n, width);
                for i in 0..width {
                    da[i] += noise[i] * scale[i] * dy[n * width + i];
                }
            });
        }
        if let Some(db) = &mut pass.input_gradients[1] {
            for i in 0..db.len() {
                db[i] += 2.0 * kept[i] as f32 * dy[i];
            }
            if self.is(&Wrong::Input) {
                db[7] += 0.5;
            }
            if self.is(&Wrong::Overwrites) {
                db[0] = 2.0 * kept[0] as f32 * dy[0];
            }
            if self.is(&Wrong::Interferes) && all_wanted {
                db[2] = -1.0;
            }
        }
        let (scales, shifts) = pass.parameter_gradients.split_at_mut(1);
        for n in 0..pass.batch {
            let noise = noise(training, random, n, width);
            for i in 0..width {
                if let Some(scale) = &mut scales[0] {
                    scale[i] += inputs[0].row(n)[i] * noise[i] * dy[n * width + i];
                }
                if let Some(shift) = &mut shifts[0] {
                    shift[i] += if self.is(&Wrong::Parameter) { 0.0 } else { dy[n * width + i] };
                }
            }
        }
        Ok(())
    }
}

fn inputs() -> Vec<Values> {
    vec![Values::random([3, 4], 1), Values::random([3, 4], 2)]
}

fn check(wrong: &str, key: Option<u64>) -> runner_plugin::testing::Checked {
    let arguments = if wrong.is_empty() { json!({}) } else { json!({ "wrong": wrong }) };
    let mut trial = Trial::<Mix>::new(arguments).unwrap();
    if let Some(key) = key {
        trial = trial.training(key);
    }
    let parameters = trial.initial(&inputs(), 3).unwrap();
    trial.check_gradients(&inputs(), &parameters)
}

#[test]
fn right_gradients_pass_in_training_and_evaluation() {
    for key in [None, Some(1), Some(u64::MAX)] {
        let checked = check("", key);
        assert_eq!((checked.compared, checked.skipped), (12 + 12 + 4 + 4, 0));
    }
}

#[test]
#[should_panic(expected = "mix: gradient of input 1 at 7: expected ")]
fn a_wrong_gradient_of_an_input_is_found() {
    check("input", None);
}

#[test]
#[should_panic(expected = "mix: gradient of parameter 1 at 0: expected ")]
fn a_wrong_gradient_of_a_parameter_is_found() {
    check("parameter", Some(5));
}

#[test]
#[should_panic(expected = "mix: gradient of input 1 at 0: expected ")]
fn a_gradient_that_is_not_added_is_found() {
    check("overwrites", None);
}

#[test]
#[should_panic(expected = "mix: gradient of input 0: kinks nearly everywhere")]
fn an_output_that_is_not_finite_is_found() {
    check("unwritten", None);
}

#[test]
#[should_panic(expected = "mix: the gradient of input 1, wanted alone")]
fn a_gradient_that_depends_on_what_else_is_wanted_is_found() {
    check("interferes", None);
}

#[test]
fn a_key_draws_the_same_and_another_key_draws_else() {
    let trial = |key| Trial::<Mix>::new(json!({})).unwrap().training(key);
    let parameters = trial(1).initial(&inputs(), 3).unwrap();
    let output = |trial: Trial<Mix>| trial.forward(&inputs(), &parameters).unwrap();
    assert_eq!(output(trial(1)), output(trial(1)));
    assert_ne!(output(trial(1)), output(trial(2)));
    assert_ne!(output(trial(1)), output(trial(1).evaluation()));
    let alike = vec![Values::new([2, 1], vec![1.0, 1.0]), Values::new([2, 1], vec![0.0, 0.0])];
    let parameters = [Values::new([1], vec![1.0]), Values::new([1, 1], vec![0.0])];
    let y = trial(1).forward(&alike, &parameters).unwrap();
    assert_ne!(y[0], y[1], "every sample has its own key");
}

#[test]
fn what_a_layer_says_of_itself_comes_through() {
    let trial = Trial::<Mix>::new(json!({})).unwrap();
    let shapes = [Shape::from([5]), Shape::from([5])];
    assert_eq!(trial.output_shape(&shapes), Ok([5].into()));
    assert_eq!(trial.scratch_bytes(&shapes, 7), Ok(7 * 5 * 8));
    assert_eq!(trial.multiply_adds(&shapes), Ok(10));
    let parameters = trial.parameters(&shapes).unwrap();
    let shift = Parameter {
        name: "shift".into(),
        shape: [1, 5].into(),
        init: Init::Weight { fan_in: 5, fan_out: 1 },
        weight_decay: false,
    };
    assert_eq!(parameters, [Parameter::normal("scale", [5], 1.0, 0.1), shift]);
    let error = trial.output_shape(&[[5].into(), [2, 2, 3].into()]).unwrap_err();
    assert_eq!(error.to_string(), "the input must be features (F), not (2, 2, 3)");
}

/// Reads what it says it does not.
struct Forgetful;

impl Layer for Forgetful {
    const NAME: &'static str = "forgetful";
    const DOCUMENTATION: &'static str = "Forgets.";
    const FORGETS_INPUTS: bool = true;
    type Arguments = NoArguments;

    fn new(_: NoArguments) -> Result<Self, Error> {
        Ok(Forgetful)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        Ok(inputs[0])
    }

    fn parameters(&self, _: &[Shape]) -> Vec<Parameter> {
        vec![Parameter::constant("hidden", [1], 0.0)]
    }

    fn forward(&self, pass: &mut Forward<'_>) -> Result<(), Error> {
        pass.output.copy_from_slice(pass.inputs[0].values());
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_>) -> Result<(), Error> {
        let _ = (pass.output.values(), pass.inputs[0].values());
        Ok(())
    }
}

#[test]
fn what_is_forgotten_cannot_be_read() {
    let trial = Trial::<Forgetful>::new(json!({})).unwrap();
    let error = trial.backward(&[Values::random([2, 2], 1)], &[], &[0.0; 4]).unwrap_err().to_string();
    assert!(error.starts_with("panicked: these values are not kept: see FORGETS_INPUTS"), "{error}");
}

#[test]
fn parameters_that_were_not_announced_are_refused() {
    let trial = Trial::<Forgetful>::new(json!({})).unwrap();
    let error = trial.parameters(&[[2].into()]).unwrap_err().to_string();
    assert_eq!(error, "it lists parameters, and yet its PARAMETERS is false");
}

#[test]
fn no_arguments_takes_none() {
    let error = Trial::<Forgetful>::new(json!({ "size": 2 })).unwrap_err().to_string();
    assert!(error.starts_with("unknown field `size`"), "{error}");
    assert!(LayerTable::of::<Forgetful>().is_ok());
}

#[test]
fn an_empty_batch_is_no_trouble() {
    let trial = Trial::<Mix>::new(json!({})).unwrap().training(1);
    let none = [Values::new([0, 4], vec![]), Values::new([0, 4], vec![])];
    let parameters = trial.initial(&none, 1).unwrap();
    assert_eq!(trial.forward(&none, &parameters), Ok(vec![]));
    let gradients = trial.backward(&none, &parameters, &[]).unwrap();
    assert_eq!(gradients.parameters, [Some(vec![0.0; 4]), Some(vec![0.0; 4])]);
}
