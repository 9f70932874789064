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
