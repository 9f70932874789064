//! Layers can be made again and again, and bad arguments are refused rather than fallen over.

use super::schema::UNKNOWN;
use super::{Bench, Checked, Failure, Outcome};
use crate::plugin::{Instance, PluginError};
use serde_json::{Value, json};

/// Layers that are there at the same time.
const TOGETHER: usize = 8;

/// `create` makes several of all arguments, and ends in a layer or an error whatever it is given.
pub fn check(bench: &mut Bench) -> Checked {
    for arguments in &bench.arguments {
        let made: Result<Vec<Instance>, PluginError> =
            (0..TOGETHER).map(|_| Instance::create(&bench.kind, arguments)).collect();
        made.map_err(|error| Failure::from(error).with(|| format!("arguments {arguments}")))?;
    }
    let (mut taken, mut refused) = (0, 0);
    for text in bad(&bench.arguments) {
        match Instance::create_of_text(&bench.kind, &text) {
            Ok(_) => {
                tracing::info!("made of {text}");
                taken += 1;
            }
            Err(error) if error.is_refusal() => {
                tracing::info!("not made of {text}: {error}");
                refused += 1;
            }
            Err(error) => {
                let failure = Failure { is_final: false, ..error.into() };
                return Err(failure.with(|| format!("arguments `{text}`")));
            }
        }
    }
    Ok(Outcome::Fine(format!("bad arguments: {refused} refused, {taken} taken")))
}

/// Texts that are no arguments, or not of this layer.
fn bad(good: &[Value]) -> Vec<String> {
    let mut texts: Vec<String> =
        ["", "{", "[]", "[1, 2]", "null", "3", "1e308", "\"text\"", "{\"a\": \"\u{fffd}\"}"].map(str::to_owned).into();
    for arguments in good.iter().filter_map(Value::as_object) {
        let mut add = |key: &str, value: Value| {
            let mut arguments = arguments.clone();
            arguments.insert(key.to_owned(), value);
            texts.push(Value::Object(arguments).to_string());
        };
        add(UNKNOWN, json!(1));
        for key in arguments.keys() {
            for value in
                [json!(1e308), json!(-1e308), json!(u64::MAX), json!("text"), json!([]), json!({}), json!(null)]
            {
                add(key, value);
            }
        }
    }
    texts.dedup();
    texts
}
