//! What one call leaves does not reach another.

use super::case::Case;
use super::pass::{Gradients, Mode, Pass};
use super::tensor::{Signs, differs, key, weights};
use super::{Bench, Checked, Failure, Outcome};

/// One instance on the way forward over two batches, and then back over both, gives what two
/// instances give that are used for one batch each.
pub fn check(bench: &mut Bench) -> Checked {
    let mut pairs = 0;
    for mode in [Mode::EVALUATION, Mode::TRAINING] {
        for (i, case) in bench.cases.iter().enumerate() {
            // Another batch of the same shape, and one of another.
            let of_same_arguments = |other: &&Case| other.arguments == case.arguments && other.inputs != case.inputs;
            let other = bench.cases.iter().cycle().skip(i).take(bench.cases.len()).find(of_same_arguments);
            for other in std::iter::once(case).chain(other) {
                look(case, other, mode).map_err(|failure| failure.with(|| case.described(Signs::Both, mode)))?;
                pairs += 1;
            }
        }
    }
    Ok(Outcome::Fine(format!("{pairs} pairs")))
}

fn look(one: &Case, other: &Case, mode: Mode) -> Result<(), Failure> {
    let (of_one, of_other) = (one.operands(Signs::Both, 2), other.operands(Signs::Positive, 3));
    let modes = [mode.seeded(2), mode.seeded(3)];

    let (one_alone, other_alone) = (one.anew()?, other.anew()?);
    let expected = {
        let pass = one_alone.forward(&of_one, modes[0])?;
        let gradients = back(&pass)?;
        let other = other_alone.forward(&of_other, modes[1])?;
        [(pass.output, gradients), (other.output.clone(), back(&other)?)]
    };

    let shared = one.anew()?;
    let other = Case { instance: shared.instance.clone(), ..other.clone() };
    let passes = [shared.forward(&of_one, modes[0])?, other.forward(&of_other, modes[1])?];
    let found = [back(&passes[0])?, back(&passes[1])?];
    for (((pass, gradients), (output, expected)), which) in
        passes.iter().zip(found).zip(expected).zip(["first", "second"])
    {
        compare(pass, &gradients, &output, &expected, which)?;
    }
    Ok(())
}

/// All gradients of a random sum of the outputs.
fn back(pass: &Pass<'_>) -> Result<Gradients, Failure> {
    Ok(pass.gradients(&weights(pass.output.len(), key("output gradient")))?)
}

fn compare(
    pass: &Pass<'_>,
    gradients: &Gradients,
    output: &[f32],
    expected: &Gradients,
    which: &str,
) -> Result<(), Failure> {
    let apart = "is kept outside of the scratch";
    if let Some(place) = differs(output, &pass.output) {
        return Err(Failure::last(format!(
            "{}: {} in the {which} of two forward calls, {} when it is the only one: something {apart}",
            pass.at(place),
            pass.output[place],
            output[place],
        )));
    }
    for (found, expected) in gradients.iter().flatten().zip(expected.iter().flatten()) {
        if let Some(place) = found.differs(&expected.values) {
            return Err(Failure::last(format!(
                "gradient of {}: {} for the {which} of two batches that went forward before either went back, {} \
                 alone: something {apart}",
                found.at(place),
                found.values[place],
                expected.values[place],
            )));
        }
    }
    Ok(())
}
