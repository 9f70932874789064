//! The schema of a layer's arguments does what the runner needs of it.

use super::{Bench, Checked, Failure, Outcome};
use serde_json::Value;

/// A key that no layer has.
pub const UNKNOWN: &str = "no_such_argument";

/// Its examples satisfy it, and it refuses unknown keys.
pub fn check(bench: &mut Bench) -> Checked {
    let arguments = bench.kind.arguments();
    for example in bench.arguments.iter().chain(&arguments.examples()) {
        if let Some(fault) = arguments.faults(example).first() {
            return Err(Failure::new(format!("does not take {example}: {}", fault.message)));
        }
    }
    for example in &bench.arguments {
        let Value::Object(mut with_unknown) = example.clone() else { continue };
        with_unknown.insert(UNKNOWN.to_owned(), 1.into());
        let with_unknown = Value::Object(with_unknown);
        if arguments.faults(&with_unknown).is_empty() {
            let what =
                "lets unknown keys pass, so a misspelt one would be ignored: set `additionalProperties` to false";
            return Err(Failure::new(what).with(|| format!("arguments {with_unknown}")));
        }
    }
    let given = arguments.examples().len();
    let s = if given == 1 { "" } else { "s" };
    let made_of = || bench.arguments.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Ok(Outcome::Fine(if given == 0 {
        format!("no examples: made of {}", made_of())
    } else {
        format!("{given} example{s}")
    }))
}
