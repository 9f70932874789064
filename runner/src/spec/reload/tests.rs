use super::*;
use crate::spec::{diff, load_text, to_value};
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};

/// Types of which a field is one field, whatever is in it.
const WHOLE: [&str; 4] = ["AnyLayer", "Augment", "BatchAugment", "FeatureAugment"];

/// The fields of a schema by path, and whether they are made of fields themselves.
struct Fields<'a> {
    definitions: &'a Map<String, Json>,
    found: BTreeMap<String, bool>,
}

impl Fields<'_> {
    fn walk(&mut self, schema: &Json, path: &str) {
        let under = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let name = schema.get("$ref").and_then(Json::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
        if let Some(name) = name.filter(|name| !WHOLE.contains(name)) {
            self.walk(&self.definitions[name], path);
        }
        for (key, schema) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
            let path = under(key);
            self.found.insert(path.clone(), false);
            self.walk(schema, &path);
            let inner = format!("{path}.");
            let has_fields = self.found.keys().any(|other| other.starts_with(&inner));
            self.found.insert(path, has_fields);
        }
        for forms in ["oneOf", "anyOf", "allOf"] {
            schema.get(forms).and_then(Json::as_array).into_iter().flatten().for_each(|form| self.walk(form, path));
        }
        for entries in ["items", "additionalProperties"] {
            schema.get(entries).into_iter().for_each(|entry| self.walk(entry, &under("*")));
        }
    }
}

#[test]
fn every_field_of_the_spec_has_a_class_of_its_own() {
    let schema = crate::spec::schema().to_value();
    let definitions = schema["$defs"].as_object().unwrap();
    let mut fields = Fields { definitions, found: BTreeMap::new() };
    fields.walk(&schema, "");
    assert!(fields.found.len() > 250, "{}", fields.found.len());
    assert!(fields.found["schedule.phases.*.until"]);
    assert!(!fields.found["augmentation.train"]);

    let rows: Vec<String> = table::ROWS.iter().flat_map(table::Row::fields).collect();
    let distinct: BTreeSet<&String> = rows.iter().collect();
    assert_eq!(distinct.len(), rows.len(), "a field is in two rows of reload/table.rs");
    // What is made of fields needs no class itself: it never changes but by them.
    let without: Vec<&String> = fields
        .found
        .iter()
        .filter(|(field, has_fields)| !**has_fields && !distinct.contains(field))
        .map(|(field, _)| field)
        .collect();
    assert_eq!(without, [""; 0], "fields that are in no row of reload/table.rs");
    let unknown: Vec<&String> = rows.iter().filter(|row| !fields.found.contains_key(*row)).collect();
    assert_eq!(unknown, [""; 0], "rows of reload/table.rs that no field has");
}

fn class(path: &str) -> Class {
    class_of(&Path::of(path))
}

#[test]
fn a_path_has_the_class_of_its_field() {
    for (path, expected) in [
        ("seed", Class::Restart),
        ("schedule.phases.3.lr.layer4", Class::Now),
        ("schedule.phases.3.until.plateau.patience", Class::NextPhase),
        ("schedule.phases.1", Class::NextPhase),
        ("head.2.dropout", Class::Rebuild),
        ("head.linear_svm.c", Class::Restart),
        ("backbone.replace", Class::Rebuild),
        ("backbone", Class::Restart),
        ("regularization.class_weights.benign", Class::NextEpoch),
        ("augmentation", Class::NextEpoch),
        ("data", Class::Restart),
        ("no.such.field", Class::Restart),
    ] {
        assert_eq!(class(path), expected, "{path}");
    }
    let layer = Path::of("backbone.replace").key("layer1.0.relu1").key("relu");
    assert_eq!(class_of(&layer), Class::Rebuild);
}

const SPEC: &str = include_str!("../testdata/spec.yaml");

/// What differs once `old` in the spec is `new`, and when it takes effect.
fn changes(under_way: &UnderWay, old: &str, new: &str) -> Vec<(String, Class)> {
    let value =
        |text: &str| to_value(&load_text("spec.yaml", text, std::path::Path::new(""), &[]).unwrap().pipeline).unwrap();
    let edited = SPEC.replace(old, new);
    assert_ne!(edited, SPEC, "{old}");
    let changes = diff(&value(SPEC), &value(&edited));
    changes.iter().map(|change| (change.place.clone(), under_way.class_of(change))).collect()
}

#[test]
fn an_edit_has_the_class_of_what_it_changes() {
    let begun = UnderWay::default();
    let one = |place: &str, class| vec![(place.to_owned(), class)];
    for (old, new, expected) in [
        ("{ adamw: { weight_decay: 0.01 } }", "adamw", vec![]),
        (
            "{ adamw: { weight_decay: 0.01 } }",
            "{ adamw: { eps: 1e-7 } }",
            one("schedule.optimizer.adamw.eps", Class::Now),
        ),
        ("{ adamw: { weight_decay: 0.01 } }", "sgd", one("schedule.optimizer", Class::NextPhase)),
        ("label_smoothing: 0.05", "label_smoothing: 0.05\n  ema: {}", one("regularization.ema", Class::NextEpoch)),
        ("  - global_avg_pool\n", "  - global_avg_pool\n  - batch_norm\n", one("head.1", Class::Rebuild)),
        ("seed: 7", "seed: 8", one("seed", Class::Restart)),
    ] {
        assert_eq!(changes(&begun, old, new), expected, "{new}");
    }
    let (before, head) = SPEC.split_once("head:\n").unwrap();
    let (layers, _) = head.split_once("augmentation:").unwrap();
    assert!(before.len() > 100);
    let fitted = changes(&begun, &format!("head:\n{layers}"), "head: { logistic: { c: 2.0 } }\n");
    assert_eq!(fitted, one("head", Class::Restart), "a head that is fitted is no list of layers");
}

#[test]
fn the_class_of_a_phase_depends_on_whether_it_has_begun() {
    let under_way = |done: &[&str], running: &str| UnderWay {
        done: done.iter().map(|&name| name.to_owned()).collect(),
        running: Some(RunningPhase { name: running.to_owned(), epochs: 1 }),
    };
    let [first, second] = ["head", "top"];
    let lr = |under_way: &UnderWay| changes(under_way, "lr: 3e-3", "lr: 2e-3");
    let place = format!("schedule.phases.{first}.lr");
    assert_eq!(lr(&under_way(&[], first)), [(place.clone(), Class::Now)]);
    assert_eq!(lr(&under_way(&[first], second)), [(place.clone(), Class::Past)]);
    assert_eq!(lr(&UnderWay::default()), [(place, Class::NextPhase)]);
    let named = |under_way: &UnderWay| changes(under_way, &format!("name: {first}"), "name: other");
    let told = |name: &str, class| (format!("schedule.phases.{name}"), class);
    assert_eq!(named(&under_way(&[], first)), [told(first, Class::NextPhase), told("other", Class::NextPhase)]);
    assert_eq!(named(&under_way(&[first], second)), [told(first, Class::Past), told("other", Class::NextPhase)]);
}
