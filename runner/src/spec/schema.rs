//! The JSON Schema of a spec, made from its types: editors complete and check by it.

use super::Pipeline;
use super::named::Named;
use crate::layers::AnyLayer;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// Catalogues whose entries may be written as a name alone where they need no argument.
const CATALOGUES: [&str; 6] = ["AnyLayer", "Augment", "BatchAugment", "FeatureAugment", "Optimizer", "Scheduler"];

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
        open_to_plugins(definitions);
    }
    // Without plugins, no layer is unknown to the runner.
    let own = json!({ "items": { "$ref": format!("#/$defs/{OWN_LAYER}") } });
    let in_backbone = json!({ "properties": { "replace": { "additionalProperties": own.get("items") } } });
    schema.insert("if".to_owned(), json!({ "not": { "required": ["plugins"] } }));
    schema.insert("then".to_owned(), json!({ "properties": { "head": own, "layers": own, "backbone": in_backbone } }));
    schema
}

/// The definition of the layers that the runner itself has.
const OWN_LAYER: &str = "OwnLayer";

/// Lets layers have names that the runner does not know: those of plugins.
fn open_to_plugins(definitions: &mut Map<String, Value>) {
    let Some(own) = definitions.get("AnyLayer").cloned() else { return };
    let Some(forms) =
        definitions.get_mut("AnyLayer").and_then(|layer| layer.get_mut("oneOf")).and_then(Value::as_array_mut)
    else {
        return;
    };
    let no_own = json!({ "not": { "enum": AnyLayer::NAMES } });
    forms.push(json!({ "type": "object", "minProperties": 1, "maxProperties": 1, "propertyNames": no_own }));
    forms.push(json!({ "type": "string", "not": { "enum": AnyLayer::NAMES } }));
    definitions.insert(OWN_LAYER.to_owned(), own);
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

    /// What in a spec the schema does not allow.
    fn faults_of(text: &str) -> Vec<String> {
        let validator = jsonschema::draft202012::new(schema().as_value()).unwrap();
        let value: Value = serde_yaml::from_str(text).unwrap();
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
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
            ("lr: 3e-3", "lr: 1, scheduler: cosine, warm_up: { steps: 3 }"),
            ("epochs: 4", "max_epochs: 4, until: { plateau: { patience: 2 } }, scheduler: { step: { every: 2 } }"),
            ("lr: 3e-3", "lr: { layer_decay: 0.75, top: 1e-3 }"),
            ("lr: 3e-3", "lr: { discriminative: { top: 1e-3, bottom: 1e-5 } }"),
            ("  allow:", "  insert: { after: stem, layer: { dropout: 0.1 } }\n  allow:"),
            ("  allow:", "  insert: [{ after: stem, layer: relu }]\n  replace: { stem.activation: relu }\n  allow:"),
            ("normalize: backbone", "normalize: { custom: { mean: [0.5], std: [0.5] } }"),
            ("head:\n  - global_avg_pool", "plugins: [a.so]\nhead:\n  - of_a_plugin: { a: 1 }"),
            ("head:\n  - global_avg_pool", "plugins: { load: [{ path: a.so }], guard: true }\nhead:\n  - of_a_plugin"),
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
            ("lr: 3e-3", "lr: { layer_decay: 0.75 }"),
            ("lr: 3e-3", "lr: 1, scheduler: step"),
            ("lr: 3e-3", "lr: 1, scheduler: { cosine: { max: 1 } }"),
            ("lr: 3e-3", "lr: 1, until: { plateau: { metric: val_loss } }"),
            ("lr: 3e-3", "lr: { layer_decay: 0.75, top: 1e-3, head: 1 }"),
            ("lr: 3e-3", "lr: { discriminative: { top: 1e-3 } }"),
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
