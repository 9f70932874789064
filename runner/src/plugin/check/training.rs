//! Forward in training.

use super::case::{Case, Operands};
use super::pass::Mode;
use super::tensor::differs;
use super::{Bench, Checked, Failure, Outcome};

/// Other keys that are tried before a layer is said not to be random.
const KEYS: u64 = 4;

/// What was seen over all cases.
#[derive(Default)]
struct Seen {
    /// Whether other random keys gave another output.
    random: bool,
    /// Whether training gave another output than evaluation.
    modes: bool,
}

/// As in evaluation, but for what the flags say: the output depends on the random keys if it is
/// RANDOM, and differs from evaluation only with MODES or RANDOM.
pub fn check(bench: &mut Bench) -> Checked {
    let mode = Mode::TRAINING;
    let mut seen = Seen::default();
    for case in &bench.cases {
        case.each(mode, |operands, _| look(case, operands, &mut seen))?;
    }
    let kind = &bench.kind;
    if kind.is_random() && !seen.random {
        return Err(Failure::new("RANDOM is among its flags, and yet other random keys change nothing"));
    }
    let note = match (seen.random, seen.modes) {
        (true, _) => "random",
        (false, true) => "differs from evaluation",
        (false, false) if kind.has_modes() => "as evaluation, though MODES is among its flags",
        (false, false) => "as evaluation",
    };
    Ok(Outcome::Fine(note.to_owned()))
}

fn look(case: &Case, operands: &Operands, seen: &mut Seen) -> Result<(), Failure> {
    let (mode, kind) = (Mode::TRAINING, case.instance.kind());
    let first = case.forward(operands, mode)?;
    let again = case.forward(operands, mode)?;
    let told = |place: usize, other: f32, why: &str| {
        format!("{}: {}, and {other} {why}", first.at(place), first.output[place])
    };
    if let Some(place) = differs(&first.output, &again.output) {
        return Err(Failure::last(told(place, again.output[place], "when computed again with the same random keys")));
    }
    let alone = case.forward(operands, mode.unrecorded())?;
    if let Some(place) = differs(&first.output, &alone.output) {
        return Err(Failure::new(told(place, alone.output[place], "when no backward follows")));
    }
    for seed in 1..=KEYS {
        let other = case.forward(operands, mode.seeded(seed))?;
        let Some(place) = differs(&first.output, &other.output) else { continue };
        seen.random = true;
        if !kind.is_random() {
            let why = "for another random key, and RANDOM is not among its flags";
            return Err(Failure::new(told(place, other.output[place], why)));
        }
    }
    let evaluation = case.forward(operands, Mode::EVALUATION)?;
    if let Some(place) = differs(&first.output, &evaluation.output) {
        seen.modes = true;
        if !kind.has_modes() && !kind.is_random() {
            let why = "in evaluation, and MODES is not among its flags";
            return Err(Failure::new(told(place, evaluation.output[place], why)));
        }
    }
    Ok(())
}
