//! What the schema says about a place: serde names one missing key at a time, the schema all.

use super::Path;
use super::path::Segment;
use serde_json::Value;
use std::sync::LazyLock;

/// The schema; made when something is wrong for the first time.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| super::schema().to_value());

/// The keys that must be at a path.
pub fn required(path: &Path) -> Vec<String> {
    let root: &Value = &SCHEMA;
    let required = at(root, path).and_then(|place| Some(place.get("required")?.as_array()?.as_slice()));
    required.unwrap_or_default().iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The words that may be at a path.
pub fn words(path: &Path) -> Vec<String> {
    let root: &Value = &SCHEMA;
    let mut words = Vec::new();
    for place in at(root, path).into_iter().flat_map(|place| alternatives(root, place)) {
        words.extend(place.get("const").and_then(Value::as_str));
        words.extend(place.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str));
    }
    words.into_iter().map(str::to_owned).collect()
}

/// The schema of the value at a path.
fn at<'a>(root: &'a Value, path: &Path) -> Option<&'a Value> {
    path.0
        .iter()
        .try_fold(root, |place, segment| {
            alternatives(root, place).into_iter().find_map(|place| match segment {
                Segment::Key(key) => {
                    let others = || place.get("additionalProperties").filter(|others| others.is_object());
                    place.get("properties").and_then(|keys| keys.get(key)).or_else(others)
                }
                Segment::Index(_) => place.get("items"),
            })
        })
        .map(|place| resolve(root, place))
}

/// A schema, and all that it lets choose from.
fn alternatives<'a>(root: &'a Value, place: &'a Value) -> Vec<&'a Value> {
    let mut all = vec![resolve(root, place)];
    let mut next = 0;
    while let Some(&place) = all.get(next) {
        for choice in ["anyOf", "oneOf", "allOf"] {
            let choices = place.get(choice).and_then(Value::as_array).into_iter().flatten();
            all.extend(choices.map(|choice| resolve(root, choice)));
        }
        next += 1;
    }
    all
}

/// The schema that a `$ref` means.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_must_be_are_known_by_path() {
        assert_eq!(required(&Path::default()), ["name", "data"]);
        assert_eq!(required(&Path::of("schedule.phases.3")), ["name", "train", "lr"]);
        assert_eq!(required(&Path::of("head.0.linear")), ["out"]);
        assert_eq!(required(&Path::of("schedule.phases.0.lr.head")), Vec::<String>::new());
        assert_eq!(required(&Path::of("nothing.such")), Vec::<String>::new());
    }

    #[test]
    fn words_that_may_be_are_known_by_path() {
        assert_eq!(words(&Path::of("data.image.channels")), ["rgb", "gray"]);
        assert_eq!(words(&Path::of("schedule.phases.0.batch_norm.head")), ["frozen", "statistics", "train"]);
        assert_eq!(words(&Path::of("seed")), Vec::<String>::new());
    }
}
