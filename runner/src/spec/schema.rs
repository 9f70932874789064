//! The JSON Schema of a spec, made from its types: editors complete and check by it.

use super::Pipeline;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// Catalogues whose entries may be written as a name alone where they need no argument.
const CATALOGUES: [&str; 4] = ["AnyLayer", "Augment", "BatchAugment", "Optimizer"];

/// The JSON Schema of a spec, draft 2020-12.
pub fn schema() -> Schema {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Pipeline>();
    schema.insert("title".to_owned(), json!("runner pipeline"));
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        for name in CATALOGUES {
            let bare = definitions.get(name).map(|catalogue| bare_names(catalogue, definitions)).unwrap_or_default();
            let entries = definitions.get_mut(name).and_then(|catalogue| catalogue.get_mut("oneOf"));
            if let Some(entries) = entries.and_then(Value::as_array_mut) {
                entries.extend(bare);
            }
        }
    }
    schema
}

/// Schemas for the names of entries that need no argument.
fn bare_names(catalogue: &Value, definitions: &Map<String, Value>) -> Vec<Value> {
    let entries = catalogue.get("oneOf").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| {
            let (name, arguments) = entry.get("properties")?.as_object()?.iter().next()?;
            if !all_optional(resolve(arguments, definitions)) {
                return None;
            }
            let mut bare = json!({ "type": "string", "const": name });
            if let (Some(bare), Some(description)) = (bare.as_object_mut(), entry.get("description")) {
                bare.insert("description".to_owned(), description.clone());
            }
            Some(bare)
        })
        .collect()
}

/// The schema that a `$ref` means.
fn resolve<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix("#/$defs/"));
    name.and_then(|name| definitions.get(name)).unwrap_or(schema)
}

/// Whether a map without keys satisfies a schema.
fn all_optional(schema: &Value) -> bool {
    let required = schema.get("required").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty());
    schema.get("type") == Some(&json!("object")) && !required
}

/// The schema as JSON text, as it is kept in `docs/pipeline.schema.json`.
pub fn text() -> String {
    format!("{:#}", schema().as_value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::load_text;
    use std::path::Path;

    #[test]
    fn the_schema_in_the_docs_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pipeline.schema.json");
        let current = format!("{}\n", text());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
            std::fs::write(path, &current).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == current, "docs/pipeline.schema.json is not current: run the tests with UPDATE_SCHEMA=1");
    }

    /// What in a value the schema does not allow.
    fn faults(root: &Value, schema: &Value, value: &Value, place: &str, out: &mut Vec<String>) {
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)).unwrap();
            return faults(root, target, value, place, out);
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(choices) = schema.get(choice).and_then(Value::as_array) {
                let fits = |schema: &&Value| {
                    let mut inner = Vec::new();
                    faults(root, schema, value, place, &mut inner);
                    inner.is_empty()
                };
                if !choices.iter().any(|schema| fits(&schema)) {
                    out.push(format!("{place}: none of {choice} fits {value}"));
                }
            }
        }
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let kinds: Vec<&str> = match schema.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => vec![kind],
        };
        if !kinds.contains(&kind) && (kind != "integer" || !kinds.contains(&"number")) {
            out.push(format!("{place}: {kind} where {kinds:?} is expected"));
        }
        if schema.get("const").is_some_and(|only| only != value)
            || schema.get("enum").and_then(Value::as_array).is_some_and(|all| !all.contains(value))
        {
            out.push(format!("{place}: {value} is none of the words"));
        }
        if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
            for (i, value) in values.iter().enumerate() {
                faults(root, items, value, &format!("{place}.{i}"), out);
            }
        }
        if let Value::Object(values) = value {
            for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                if !values.contains_key(key.as_str().unwrap()) {
                    out.push(format!("{place}: {key} is missing"));
                }
            }
            for (key, value) in values {
                match schema.get("properties").and_then(|keys| keys.get(key)).or(schema.get("additionalProperties")) {
                    Some(Value::Bool(false)) => out.push(format!("{place}.{key}: unknown key")),
                    Some(schema) => faults(root, schema, value, &format!("{place}.{key}"), out),
                    None => {}
                }
            }
        }
    }

    fn faults_of(text: &str) -> Vec<String> {
        let schema = schema();
        let value: Value = serde_yaml::from_str(text).unwrap();
        let mut out = Vec::new();
        faults(schema.as_value(), schema.as_value(), &value, "", &mut out);
        out
    }

    const SPEC: &str = include_str!("testdata/spec.yaml");

    #[test]
    fn the_schema_takes_what_the_types_take() {
        assert_eq!(faults_of(SPEC), Vec::<String>::new());
        for (old, new) in [
            ("{ adamw: { weight_decay: 0.01 } }", "adamw"),
            ("- global_avg_pool", "- global_avg_pool: {}"),
            ("size: 96", "size: [96, 64]"),
            ("lr: 3e-3", "lr: 1"),
            ("  allow:", "  insert: { after: stem, layer: { dropout: 0.1 } }\n  allow:"),
            ("  allow:", "  insert: [{ after: stem, layer: relu }]\n  replace: { stem.activation: relu }\n  allow:"),
            ("normalize: backbone", "normalize: { custom: { mean: [0.5], std: [0.5] } }"),
        ] {
            let text = SPEC.replace(old, new);
            assert_ne!(text, SPEC);
            assert_eq!(faults_of(&text), Vec::<String>::new(), "{new}");
            load_text("", &text, Path::new(""), &[]).unwrap();
        }
    }

    #[test]
    fn the_schema_takes_no_more_than_the_types() {
        for (old, new) in [
            ("seed: 7", "sed: 7"),
            ("- linear: { out: classes }", "- linear"),
            ("{ out: classes }", "{ out: classes, in: 3 }"),
            ("- linear:", "- linar:"),
            ("horizontal_flip: 0.5", "horizontal_flip"),
            ("source: { dataset: blood_cells }", "source: dataset"),
            ("metric: val_loss", "metric: val_los"),
            ("batch_norm: statistics", "batch_norm: { head: froze }"),
            ("epochs: 4", "epochs: 4.5"),
            ("  allow:", "  insert: { after: stem }\n  allow:"),
            ("  allow:", "  insert: [{ before: stem, layer: relu }]\n  allow:"),
            ("  allow:", "  replace: { stem.activation: linear }\n  allow:"),
        ] {
            let text = SPEC.replace(old, new);
            assert_ne!(text, SPEC);
            assert_ne!(faults_of(&text), Vec::<String>::new(), "{new}");
            load_text("", &text, Path::new(""), &[]).unwrap_err();
        }
    }

    #[test]
    fn every_key_is_described() {
        fn undescribed(schema: &Value, place: &str, out: &mut Vec<String>) {
            for (key, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if schema.get("description").is_none() {
                    out.push(format!("{place}.{key}"));
                }
            }
        }
        let schema = schema();
        let mut out = Vec::new();
        undescribed(schema.as_value(), "", &mut out);
        for (name, definition) in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
            undescribed(definition, name, &mut out);
        }
        assert_eq!(out, Vec::<String>::new());
    }
}
