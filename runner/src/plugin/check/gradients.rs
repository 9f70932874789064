//! Gradients are the derivatives of the output.

use super::case::{Case, Operands};
use super::pass::Mode;
use super::tensor::{key, weights};
use super::{Bench, Checked, Failure, Outcome};
use crate::plugin::PluginError;
use crate::random::Stream;
use indexmap::IndexMap;
use runner_plugin::finite::{agrees, derivative};

/// The share of values that may lie near a kink.
const MAX_SKIPPED: f64 = 0.3;

/// Values of one tensor that are looked at, where it has more.
const SAMPLE: usize = 96;

/// Values that are computed for one tensor: fewer of a large one are looked at.
const WORK: usize = 8_000_000;

/// All gradients in evaluation.
pub fn check_evaluation(bench: &mut Bench) -> Checked {
    check(bench, Mode::EVALUATION)
}

/// All gradients in training, the random keys held fast.
pub fn check_training(bench: &mut Bench) -> Checked {
    check(bench, Mode::TRAINING)
}

/// How many values of a tensor were looked at.
#[derive(Default)]
struct Count {
    compared: usize,
    skipped: usize,
}

/// Holds the gradients of all inputs and parameters, for a random sum of the outputs, against finite
/// differences.
fn check(bench: &Bench, mode: Mode) -> Checked {
    let mut counts: IndexMap<String, Count> = IndexMap::new();
    for case in &bench.cases {
        case.each(mode, |operands, _| compare(case, operands, mode, &mut counts))?;
    }
    for (name, Count { compared, skipped }) in &counts {
        if *skipped as f64 > MAX_SKIPPED * (compared + skipped) as f64 {
            let all = compared + skipped;
            let what = format!(
                "{name}: not conclusive, as {skipped} of {all} values lie near a kink or jump; other shapes or \
                 arguments may help"
            );
            return Err(Failure::new(what));
        }
    }
    let compared: usize = counts.values().map(|count| count.compared).sum();
    let skipped: usize = counts.values().map(|count| count.skipped).sum();
    let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} at kinks skipped") };
    Ok(Outcome::Fine(format!("{compared} values{skipped}")))
}

fn compare(case: &Case, operands: &Operands, mode: Mode, counts: &mut IndexMap<String, Count>) -> Result<(), Failure> {
    let pass = case.forward(operands, mode)?;
    let weights = weights(pass.output.len(), key("sum"));
    let gradients = pass.gradients(&weights)?;
    let mut moved = operands.clone();
    for (i, gradient) in gradients.iter().enumerate() {
        let Some(gradient) = gradient else { continue };
        let mut values = operands.tensors[i].values.clone();
        let count = counts.entry(format!("{} with arguments {}", gradient.name, case.arguments)).or_default();
        for place in places(values.len(), case.size()) {
            let mut fault: Option<PluginError> = None;
            let sum = |values: &[f32]| {
                moved.tensors[i].values.copy_from_slice(values);
                match case.forward(&moved, mode) {
                    Ok(pass) => pass.output.iter().zip(&weights).map(|(y, w)| f64::from(*y) * f64::from(*w)).sum(),
                    Err(error) => {
                        fault.get_or_insert(error);
                        f64::NAN
                    }
                }
            };
            let expected = derivative(sum, &mut values, place);
            if let Some(fault) = fault {
                return Err(fault.into());
            }
            let Some(expected) = expected else {
                count.skipped += 1;
                continue;
            };
            count.compared += 1;
            let got = f64::from(gradient.values[place]);
            if !agrees(expected, got) {
                let at = gradient.at(place);
                return Err(Failure::new(format!("{at}: expected {expected:.4} (finite differences), got {got:.4}")));
            }
        }
        moved.tensors[i].values.copy_from_slice(&values);
    }
    Ok(())
}

/// The places of a tensor that are looked at: all, or the first, the last and some at random.
fn places(count: usize, values_of_a_pass: usize) -> Vec<usize> {
    // A derivative takes five passes.
    let sample = (WORK / (5 * values_of_a_pass).max(1)).clamp(4, SAMPLE);
    if count <= sample {
        return (0..count).collect();
    }
    let mut stream: Stream = key("places").with(count as u64).stream();
    let mut places: Vec<usize> = (2..sample).map(|_| stream.below(count)).chain([0, count - 1]).collect();
    places.sort_unstable();
    places.dedup();
    places
}
