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
    Ok(Outcome::Fine(match arguments.examples().len() {
        0 => "no examples, so made of what is required".to_owned(),
        1 => "1 example".to_owned(),
        count => format!("{count} examples"),
    }))
}
