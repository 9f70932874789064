//! A layer that hands its input on, and fails where and how it is told to.

use runner_plugin::{Backward, Error, Forward, Layer, Parameter, Shape};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where and how it fails.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The function that fails.
    at: At,
    /// How it fails.
    how: How,
    /// How many calls of the function go well before; of `forward`, in training.
    #[serde(default)]
    after: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum At {
    Create,
    OutputShape,
    Parameters,
    ScratchBytes,
    MultiplyAdds,
    Forward,
    Backward,
    Destroy,
}

#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum How {
    /// It panics.
    Panic,
    /// It gives an error; where there can be none, something that nobody can use.
    Error,
    /// One of the values it writes is no number.
    Nan,
    /// It gives a shape that is none.
    Shape,
    /// It gives another shape than before.
    OtherShape,
}

struct Faulty {
    arguments: Arguments,
    calls: AtomicUsize,
}

impl Faulty {
    /// How a call of `function` is to fail, if it is.
    fn fault(&self, function: At) -> Option<How> {
        let is_meant = self.arguments.at == function;
        let fails = is_meant && self.calls.fetch_add(1, Ordering::Relaxed) >= self.arguments.after;
        fails.then_some(self.arguments.how)
    }

    /// Fails if a call of `function` is to fail with all of its work; else says what is left of it.
    fn enter(&self, function: At) -> Result<Option<How>, Error> {
        match self.fault(function) {
            Some(How::Panic) => panic!("nothing works today"),
            Some(How::Error) => Err("nothing works today".into()),
            other => Ok(other),
        }
    }
}

impl Layer for Faulty {
    const NAME: &'static str = "faulty";
    const DOCUMENTATION: &'static str = "Hands its input on, and fails where it is told to.";
    const PARAMETERS: bool = true;
    const FORGETS_INPUTS: bool = true;
    const FORGETS_OUTPUT: bool = true;
    type Arguments = Arguments;

    fn new(arguments: Arguments) -> Result<Self, Error> {
        let layer = Faulty { arguments, calls: AtomicUsize::new(0) };
        layer.enter(At::Create)?;
        Ok(layer)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, Error> {
        match self.enter(At::OutputShape)? {
            Some(How::Shape) => Shape::new(&[2, 3]),
            Some(How::OtherShape) => {
                let (h, w, c) = inputs[0].image()?;
                Shape::new(&[h, w + 1, c])
            }
            _ => Ok(inputs[0]),
        }
    }

    fn parameters(&self, _: &[Shape]) -> Vec<Parameter> {
        match self.fault(At::Parameters) {
            Some(How::Panic) => panic!("nothing works today"),
            Some(How::Error) => vec![Parameter::constant("no name", [1], 1.0)],
            Some(How::Shape) => vec![Parameter::constant("empty", [0], 1.0)],
            _ => Vec::new(),
        }
    }

    fn scratch_bytes(&self, _: &[Shape], batch: usize) -> usize {
        match self.fault(At::ScratchBytes) {
            Some(How::Panic) => panic!("nothing works today"),
            Some(_) => usize::MAX,
            None => batch,
        }
    }

    fn multiply_adds(&self, inputs: &[Shape]) -> u64 {
        match self.fault(At::MultiplyAdds) {
            Some(How::Panic) => panic!("nothing works today"),
            _ => inputs[0].count() as u64,
        }
    }

    fn forward(&self, pass: &mut Forward<'_>) -> Result<(), Error> {
        let fault = if pass.training { self.enter(At::Forward)? } else { None };
        pass.output.copy_from_slice(pass.inputs[0].values());
        if fault == Some(How::Nan) {
            pass.output[0] = f32::NAN;
        }
        Ok(())
    }

    fn backward(&self, pass: &mut Backward<'_>) -> Result<(), Error> {
        let fault = self.enter(At::Backward)?;
        let Some(dx) = &mut pass.input_gradients[0] else { return Ok(()) };
        dx.iter_mut().zip(pass.output_gradient).for_each(|(dx, dy)| *dx += dy);
        if fault == Some(How::Nan) {
            dx[0] = f32::NAN;
        }
        Ok(())
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        if self.fault(At::Destroy) == Some(How::Panic) {
            panic!("nothing works today");
        }
    }
}

runner_plugin::export_layers!(Faulty);
