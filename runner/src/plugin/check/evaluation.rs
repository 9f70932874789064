//! Forward in evaluation.

use super::pass::Mode;
use super::tensor::differs;
use super::{Bench, Checked, Failure, Outcome};

/// All outputs are written and finite, nothing else is, and nothing is random: not even for other
/// random keys.
pub fn check(bench: &mut Bench) -> Checked {
    let mode = Mode::EVALUATION;
    for case in &bench.cases {
        case.each(mode, |operands, _| {
            let first = case.forward(operands, mode)?;
            let again = case.forward(operands, mode)?;
            if let Some(place) = differs(&first.output, &again.output) {
                let (one, other) = (first.output[place], again.output[place]);
                return Err(Failure::last(format!("{}: {one}, and {other} when computed again", first.at(place))));
            }
            let alone = case.forward(operands, mode.unrecorded())?;
            if let Some(place) = differs(&first.output, &alone.output) {
                let (one, other) = (first.output[place], alone.output[place]);
                let what = format!("{}: {one}, and {other} when no backward follows", first.at(place));
                return Err(Failure::new(what));
            }
            let other = case.forward(operands, mode.seeded(1))?;
            if let Some(place) = differs(&first.output, &other.output) {
                let (one, other) = (first.output[place], other.output[place]);
                let what = format!("{}: {one}, and {other} for another random key", first.at(place));
                return Err(Failure::last(what));
            }
            Ok(())
        })?;
    }
    Ok(Outcome::Fine("finite, and the same each time".to_owned()))
}
