//! Gradients are added to what is there, and only those that are wanted.

use super::case::{Case, Operands};
use super::pass::{Gradients, Mode, Pass};
use super::tensor::{key, weights};
use super::{Bench, Checked, Failure, Outcome};

/// Backward adds to gradients that hold something already, and gives the same for each alone as for
/// all together.
pub fn check(bench: &mut Bench) -> Checked {
    for mode in [Mode::EVALUATION, Mode::TRAINING] {
        for case in &bench.cases {
            case.each(mode, |operands, _| look(case, operands, mode))?;
        }
    }
    Ok(Outcome::Fine("each alone as all together".to_owned()))
}

fn look(case: &Case, operands: &Operands, mode: Mode) -> Result<(), Failure> {
    let pass = case.forward(operands, mode)?;
    let weights = weights(pass.output.len(), key("output gradient"));
    let from_zero = pass.gradients(&weights)?;

    let mut stream = key("before").stream();
    let tensors = operands.tensors.iter();
    let before: Gradients = tensors.map(|tensor| Some(tensor.like(|| stream.range(0.5, 1.5)))).collect();
    let mut sums = before.clone();
    pass.backward(&weights, &mut sums)?;
    compare(&from_zero, &before, &sums, "together with the others")?;

    for wanted in 0..before.len() {
        alone(&pass, &weights, wanted, &before, &from_zero)?;
    }
    Ok(())
}

/// Asks for one gradient alone.
fn alone(
    pass: &Pass<'_>,
    weights: &[f32],
    wanted: usize,
    before: &Gradients,
    from_zero: &Gradients,
) -> Result<(), Failure> {
    let only = |(i, tensor): (usize, &Option<_>)| tensor.clone().filter(|_| i == wanted);
    let mut sums: Gradients = before.iter().enumerate().map(only).collect();
    pass.backward(weights, &mut sums)?;
    compare(from_zero, before, &sums, "wanted alone")
}

/// Whether sums are what was there and the gradients, as near as float32 can tell.
fn compare(from_zero: &Gradients, before: &Gradients, sums: &Gradients, how: &str) -> Result<(), Failure> {
    for ((gradient, before), sum) in from_zero.iter().zip(before).zip(sums) {
        let (Some(gradient), Some(before), Some(sum)) = (gradient, before, sum) else { continue };
        for (place, got) in sum.values.iter().enumerate() {
            let (gradient, before) = (gradient.values[place], before.values[place]);
            let expected = gradient + before;
            if (got - expected).abs() > 1e-4 * (1.0 + gradient.abs() + before.abs()) {
                let overwritten = (got - gradient).abs() <= 1e-4 * (1.0 + gradient.abs());
                let what = if overwritten { "overwrites instead of adding: " } else { "" };
                return Err(Failure::new(format!(
                    "{what}gradient of {}, {how}: expected {before:.4} and {gradient:.4} added, {expected:.4}, got \
                     {got:.4}",
                    sum.at(place)
                )));
            }
        }
    }
    Ok(())
}
