//! Instances may be used by several threads: each by one, and where the layer says so by several.

use super::case::Case;
use super::pass::{Gradients, Mode};
use super::tensor::{Signs, key, weights};
use super::{Bench, Checked, Failure, Outcome};
use crate::plugin::PluginError;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Threads at once.
const THREADS: usize = 4;

/// Passes over different batches.
const PASSES: u64 = 4;

/// How long each thread goes on with a case: longer than a system lets one run without the others.
const OVERLAP: Duration = Duration::from_millis(8);

/// Passes on several threads give what they give one after another.
pub fn check(bench: &mut Bench) -> Checked {
    let cases: Vec<&Case> = bench.cases.iter().collect();
    let expected: Vec<Results> = cases.iter().map(|case| passes(case)).collect::<Result<_, _>>()?;
    together(&cases, &expected, false)?;
    if !bench.kind.is_thread_safe() {
        return Ok(Outcome::Fine(format!("{THREADS} threads, an instance each")));
    }
    together(&cases, &expected, true)?;
    Ok(Outcome::Fine(format!("{THREADS} threads, an instance each and one for all")))
}

/// Outputs and gradients of several passes.
type Results = Vec<(Vec<f32>, Gradients)>;

/// Passes over different batches, in training and evaluation.
fn passes(case: &Case) -> Result<Results, PluginError> {
    let pass = |seed| {
        let mode = if seed % 2 == 0 { Mode::TRAINING } else { Mode::EVALUATION };
        let operands = case.operands(Signs::Positive, 10 + seed);
        let pass = case.forward(&operands, mode.seeded(seed))?;
        let gradients = pass.gradients(&weights(pass.output.len(), key("output gradient")))?;
        Ok((pass.output, gradients))
    };
    (0..PASSES).map(pass).collect()
}

/// Does the passes of each case on all threads at once; all of them get the case's instance, or one
/// of their own.
fn together(cases: &[&Case], expected: &[Results], shared: bool) -> Result<(), Failure> {
    for (case, expected) in cases.iter().zip(expected) {
        let instances: Vec<Case> =
            (0..THREADS).map(|_| if shared { Ok((*case).clone()) } else { case.anew() }).collect::<Result<_, _>>()?;
        let begin = Barrier::new(THREADS);
        let found: Vec<Result<bool, PluginError>> = std::thread::scope(|scope| {
            let repeat = |case| repeat(case, expected, &begin);
            let threads: Vec<_> = instances.iter().map(|case| scope.spawn(move || repeat(case))).collect();
            // A panic is of the runner's own code, and is printed.
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        for found in found {
            if !found? {
                let of = if shared { "one instance" } else { "an instance each" };
                let what = format!("{THREADS} threads with {of} get other values than one after another");
                return Err(Failure::new(what).with(|| case.description()));
            }
        }
    }
    Ok(())
}

/// Whether the passes give what is expected, done again and again for a while.
fn repeat(case: &Case, expected: &Results, begin: &Barrier) -> Result<bool, PluginError> {
    begin.wait();
    let began = Instant::now();
    loop {
        if !same(&passes(case)?, expected) {
            return Ok(false);
        }
        if began.elapsed() > OVERLAP {
            return Ok(true);
        }
    }
}

fn same(found: &Results, expected: &Results) -> bool {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    found.iter().zip(expected).all(|((output, gradients), (expected, expected_gradients))| {
        let of_gradients = gradients.iter().flatten().zip(expected_gradients.iter().flatten());
        bits(output) == bits(expected) && of_gradients.into_iter().all(|(a, b)| bits(&a.values) == bits(&b.values))
    })
}
