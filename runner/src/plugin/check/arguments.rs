//! What a layer can be made of, as far as its schema tells.

use crate::plugin::schema::Arguments;
use serde_json::{Map, Value};

/// Arguments that the schema takes: its examples, else none at all, else those that it requires with
/// the values that it mentions. `None` where no such are found.
pub fn of(arguments: &Arguments) -> Option<Vec<Value>> {
    let taken = |value: &Value| arguments.faults(value).is_empty();
    let examples: Vec<Value> = arguments.examples().into_iter().filter(taken).collect();
    if !examples.is_empty() {
        return Some(examples);
    }
    let nothing = Value::Object(Map::new());
    if taken(&nothing) {
        return Some(vec![nothing]);
    }
    let made = required(arguments.schema())?;
    taken(&made).then(|| vec![made])
}

/// The required arguments, each with a value that its schema mentions.
fn required(schema: &Value) -> Option<Value> {
    let names = schema.get("required")?.as_array()?.iter().filter_map(Value::as_str);
    let properties = schema.get("properties")?;
    let made = names.map(|name| Some((name.to_owned(), mentioned(schema, properties.get(name)?)?)));
    Some(Value::Object(made.collect::<Option<_>>()?))
}

/// A value that the schema of an argument mentions, or a simple one of its type.
fn mentioned(root: &Value, of: &Value) -> Option<Value> {
    let of = match of.get("$ref").and_then(Value::as_str) {
        Some(pointer) => root.pointer(pointer.strip_prefix('#')?)?,
        None => of,
    };
    let one_of = |key: &str| of.get(key)?.as_array()?.first().cloned();
    let above = || Some(Value::from(of.get("exclusiveMinimum")?.as_i64()? + 1));
    let first = of.get("default").or(of.get("const")).cloned();
    let listed = first.or_else(|| one_of("examples")).or_else(|| one_of("enum"));
    listed.or_else(|| of.get("minimum").cloned()).or_else(above).or_else(|| match of.get("type")?.as_str()? {
        "integer" | "number" => Some(1.into()),
        "boolean" => Some(false.into()),
        "array" => Some(Value::Array(Vec::new())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn examples_come_first_then_nothing_then_what_is_required() {
        let of = |schema: Value| super::of(&Arguments::new(&schema.to_string()).unwrap());
        let size = json!({ "size": { "type": "integer", "minimum": 2 } });
        let examples = json!({ "properties": size, "examples": [{ "size": 1 }, { "size": 5 }] });
        assert_eq!(of(examples), Some(vec![json!({ "size": 5 })]));
        assert_eq!(of(json!({ "properties": size })), Some(vec![json!({})]));
        assert_eq!(of(json!({ "properties": size, "required": ["size"] })), Some(vec![json!({ "size": 2 })]));
        let all = json!({
            "properties": {
                "a": { "default": 0.5, "minimum": 0 }, "b": { "enum": ["x", "y"] }, "c": { "type": "boolean" },
                "d": { "type": "number", "exclusiveMinimum": 0 }, "e": { "$ref": "#/$defs/way" }, "f": {}
            },
            "$defs": { "way": { "const": "up" } },
            "required": ["a", "b", "c", "d", "e"]
        });
        assert_eq!(of(all), Some(vec![json!({ "a": 0.5, "b": "x", "c": false, "d": 1, "e": "up" })]));
        for unknowable in [json!({ "type": "string" }), json!({ "type": "integer", "multipleOf": 7 })] {
            assert_eq!(of(json!({ "properties": { "a": unknowable }, "required": ["a"] })), None);
        }
    }
}
