//! Layers that fail: every error and every panic comes back as a status with its text.

use runner_plugin::testing::{Trial, Values};
use runner_plugin::{Backward, Error, Forward, Layer, Parameter, Shape, export::schema, parallel};
use serde_json::json;

/// Where and how to fail.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Faulty {
    /// The function that fails.
    at: String,
    /// Whether by a panic.
    #[serde(default)]
    panic: bool,
}

impl Faulty {
    fn at(&self, function: &str) -> Result<(), Error> {
        if self.at != function {
            return Ok(());
        }
        assert!(!self.panic, "no {function} today");
        Err(format!("cannot do {function}").into())
    }
}

impl Layer for Faulty {
    const NAME: &'static str = "faulty";
    const DOCUMENTATION: &'static str = "Fails where it is told to.";
    const PARAMETERS: bool = true;
    type Arguments = Self;

    fn examples() -> Vec<serde_json::Value> {
        vec![json!({ "at": "nowhere" })]
    }

    fn new(arguments: Self) -> Result<Self, Error> {
        arguments.at("new").map(|()| arguments)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        self.at("output_shape").map(|()| inputs[0])
    }

    fn parameters(&self, _: &[Shape]) -> Vec<Parameter> {
        self.at("parameters").unwrap();
        vec![Parameter::constant("one", [1], 1.0)]
    }

    fn scratch_bytes(&self, _: &[Shape], _: usize) -> usize {
        self.at("scratch_bytes").unwrap();
        8
    }

    fn multiply_adds(&self, _: &[Shape]) -> u64 {
        self.at("multiply_adds").unwrap();
        1
    }

    fn forward(&self, pass: &mut Forward<'_>) -> Result<(), Error> {
        self.at("forward")?;
        if self.at == "index" {
            pass.output[pass.output.len()] = 1.0;
        }
        parallel::for_each(pass.output.chunks_mut(1), |i, y| {
            assert!(self.at != "parallel" || i != 5, "no chunk {i}");
            y[0] = 0.0;
        });
        Ok(())
    }

    fn backward(&self, _: &mut Backward<'_>) -> Result<(), Error> {
        self.at("backward")
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        assert!(self.at != "drop", "no drop today");
    }
}

fn faulty(at: &str, panic: bool) -> Result<Trial<Faulty>, Error> {
    Trial::new(json!({ "at": at, "panic": panic }))
}

/// Every function in turn; the text of the first that fails.
fn failure(at: &str, panic: bool) -> Option<String> {
    let (x, one) = (Values::random([4, 3], 1), Values::new([1], vec![1.0]));
    let shapes = [Shape::from([3])];
    let every = || {
        let trial = faulty(at, panic)?;
        trial.output_shape(&shapes)?;
        trial.parameters(&shapes)?;
        trial.scratch_bytes(&shapes, 4)?;
        trial.multiply_adds(&shapes)?;
        trial.forward(std::slice::from_ref(&x), std::slice::from_ref(&one))?;
        trial.backward(&[x], &[one], &[1.0; 12])
    };
    every().err().map(|error| error.to_string())
}

#[test]
fn errors_come_back_as_they_are() {
    assert_eq!(failure("nowhere", false), None);
    for function in ["new", "output_shape", "forward", "backward"] {
        assert_eq!(failure(function, false).unwrap(), format!("cannot do {function}"));
    }
}

#[test]
fn panics_come_back_with_message_and_place() {
    for function in ["new", "output_shape", "parameters", "scratch_bytes", "forward", "backward"] {
        let text = failure(function, true).unwrap();
        assert!(text.starts_with(&format!("panicked: no {function} today (")), "{text}");
        assert!(text.contains("faults.rs:"), "{text}");
    }
    let text = failure("index", false).unwrap();
    assert!(text.starts_with("panicked: index out of bounds: the len is 12 but the index is 12"), "{text}");
}

#[test]
fn a_panic_on_another_thread_comes_back_too() {
    let text = failure("parallel", false).unwrap();
    assert!(text.starts_with("panicked: no chunk 5 (") && text.contains("faults.rs:"), "{text}");
}

#[test]
fn panics_where_nothing_can_be_said_go_no_further() {
    assert_eq!(failure("multiply_adds", true), None);
    assert_eq!(faulty("multiply_adds", true).unwrap().multiply_adds(&[Shape::from([3])]), Ok(0));
    assert_eq!(failure("drop", true), None);
}

#[test]
fn a_layer_works_on_after_a_panic() {
    let trial = faulty("nowhere", false).unwrap();
    let (x, one) = (Values::random([4, 3], 1), Values::new([1], vec![1.0]));
    assert!(failure("parallel", true).is_some());
    assert_eq!(trial.forward(&[x], &[one]).unwrap(), [0.0; 12]);
}

#[test]
fn arguments_that_do_not_fit_are_named() {
    let error = |json: &str| Trial::<Faulty>::of_json(json).unwrap_err().to_string();
    assert_eq!(error("{}"), "missing field `at`");
    assert_eq!(error(r#"{"at": 3}"#), "invalid type: integer `3`, expected a string");
    assert_eq!(error(r#"{"at": "a", "pannic": true}"#), "unknown field `pannic`, expected `at` or `panic`");
    assert!(error("").starts_with("the arguments are no JSON: "));
    assert!(error("{").starts_with("the arguments are no JSON: "));
    assert!(error(&"[".repeat(100_000)).starts_with("the arguments are no JSON: recursion limit exceeded"));
}

#[test]
fn the_schema_has_documentation_and_examples_and_takes_no_other_keys() {
    let schema = schema::<Faulty>();
    let expected = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "faulty",
        "description": "Where and how to fail.",
        "type": "object",
        "properties": {
            "at": { "description": "The function that fails.", "type": "string" },
            "panic": { "description": "Whether by a panic.", "type": "boolean", "default": false },
        },
        "required": ["at"],
        "additionalProperties": false,
        "examples": [{ "at": "nowhere" }],
    });
    assert_eq!(schema, expected);
}

#[test]
fn inputs_and_parameters_that_do_not_fit_are_refused() {
    let trial = faulty("nowhere", false).unwrap();
    let (x, one) = ([Values::random([4, 3], 1)], [Values::new([1], vec![1.0])]);
    let twice = [x[0].clone(), x[0].clone()];
    let error = |inputs: &[Values], parameters: &[Values]| trial.forward(inputs, parameters).unwrap_err().to_string();
    assert_eq!(error(&[], &[]), "0 inputs were given to a layer that takes 1 to 1");
    assert_eq!(error(&twice, &[]), "2 inputs were given to a layer that takes 1 to 1");
    assert_eq!(error(&x, &[]), "the runner gave 0 parameters for 1");
    assert_eq!(error(&x, &x), "parameter one is (4, 3), not (1)");
    assert!(trial.forward(&x, &one).is_ok());
}
