//! The reference pages of the book, made from the schema and so from the types' own words; and that of
//! what a reload changes, made from its table.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write;

/// A page: file name, title, and the definitions that begin it.
const PAGES: [(&str, &str, &[&str]); 8] = [
    ("pipeline", "Pipelines", &["#"]),
    ("layers", "Layers", &["AnyLayer"]),
    ("augmentation", "Augmentation", &["Augmentation", "Augment", "BatchAugment", "FeatureAugment"]),
    ("regularization", "Regularization", &["Regularization"]),
    ("schedule", "Schedule", &["Schedule", "Phase", "Optimizer", "Scheduler"]),
    ("data", "Data", &["Data"]),
    ("backbones", "Backbones", &["Backbone", "Arch"]),
    ("heads", "Heads", &["Head"]),
];

/// Layers that the schema cannot know of: the end of the page of layers.
const LAYERS_OF_PLUGINS: &str = include_str!("reference/of_plugins.md");

/// How the definitions of `OneOrList` begin: the form of an entry is all there is to tell of them.
const ONE_OR_LIST: &str = "OneOrList_";

/// The pages as (file name, text), in Markdown.
pub fn pages() -> Vec<(String, String)> {
    let schema = super::schema().to_value();
    let starts: BTreeSet<&str> = PAGES.iter().flat_map(|(_, _, starts)| starts.iter().copied()).collect();
    let of_types = PAGES.iter().map(|(file, title, begin)| {
        let mut page = Page { schema: &schema, text: format!("# {title}\n"), seen: BTreeSet::new(), starts: &starts };
        for name in *begin {
            page.definition(name, name);
        }
        if *file == "layers" {
            page.text.push_str(LAYERS_OF_PLUGINS);
        }
        (format!("{file}.md"), page.text)
    });
    of_types.chain([("reload.md".to_owned(), super::reload::page())]).collect()
}

struct Page<'a> {
    schema: &'a Value,
    text: String,
    seen: BTreeSet<String>,
    /// Definitions that have a page of their own, or begin one.
    starts: &'a BTreeSet<&'a str>,
}

impl Page<'_> {
    /// Writes a definition, then those that it is made of and that no other page begins with.
    fn definition(&mut self, name: &str, title: &str) {
        if let Some(entry) = name.strip_prefix(ONE_OR_LIST) {
            return self.definition(entry, entry);
        }
        if !self.seen.insert(name.to_owned()) {
            return;
        }
        let whole = self.schema;
        let place = if name == "#" { Some(whole) } else { whole.get("$defs").and_then(|all| all.get(name)) };
        let Some(place) = place.and_then(Value::as_object) else { return };
        if name != "#" {
            let _ = write!(self.text, "\n## {title}\n");
        }
        self.describe(place);
        let mut next = Vec::new();
        if let Some(fields) = place.get("properties").and_then(Value::as_object) {
            next.extend(self.fields(place, fields));
        }
        for choice in choices(place) {
            next.extend(self.choice(choice));
        }
        for (name, title) in next {
            if !self.starts.contains(name.as_str()) {
                self.definition(&name, &title);
            }
        }
    }

    fn describe(&mut self, place: &Map<String, Value>) {
        if let Some(description) = place.get("description").and_then(Value::as_str) {
            let _ = write!(self.text, "\n{description}\n");
        }
    }

    /// A table of keys; gives the definitions that their values have.
    fn fields(&mut self, place: &Map<String, Value>, fields: &Map<String, Value>) -> Vec<(String, String)> {
        if fields.is_empty() {
            self.text.push_str("\nIt takes no arguments.\n");
            return Vec::new();
        }
        let required: Vec<&str> =
            place.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        self.text.push_str("\n| key | value | default | |\n|---|---|---|---|\n");
        let mut next = Vec::new();
        for (key, value) in fields {
            let default = match value.get("default") {
                Some(Value::Object(_)) | None if required.contains(&key.as_str()) => "**required**".to_owned(),
                Some(Value::Object(_) | Value::Null) | None => String::new(),
                Some(default) => format!("`{default}`"),
            };
            let description = value.get("description").and_then(Value::as_str).unwrap_or_default();
            let description = description.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
            let _ = writeln!(self.text, "| `{key}` | {} | {default} | {description} |", kind(value));
            next.extend(references(value));
        }
        next
    }

    /// An entry of an enum: a word, or a key with arguments.
    fn choice(&mut self, choice: &Value) -> Vec<(String, String)> {
        let description = choice.get("description").and_then(Value::as_str).unwrap_or_default();
        if let Some(word) = choice.get("const").and_then(Value::as_str) {
            // Entries that also stand as a bare name have been told with their arguments.
            if !self.text.contains(&format!("### {word}\n")) {
                let _ = write!(self.text, "\n- `{word}`: {}\n", description.replace('\n', " "));
            }
            return Vec::new();
        }
        let Some((name, arguments)) =
            choice.get("properties").and_then(Value::as_object).and_then(|entries| entries.iter().next())
        else {
            return references(choice);
        };
        let _ = write!(self.text, "\n### {name}\n");
        let definition = references(arguments).into_iter().next();
        let place = match &definition {
            Some((reference, _)) => self.schema.get("$defs").and_then(|all| all.get(reference)),
            None => Some(arguments),
        };
        let Some(place) = place.and_then(Value::as_object) else { return Vec::new() };
        if place.contains_key("description") {
            self.describe(place);
        } else {
            let _ = write!(self.text, "\n{description}\n");
        }
        match place.get("properties").and_then(Value::as_object) {
            Some(fields) => self.fields(place, fields),
            None if place.get("type").is_some_and(|kind| kind == "object") => self.fields(place, &Map::new()),
            None => {
                let value = Value::Object(place.clone());
                let _ = write!(self.text, "\n`{name}: ...` takes {}.\n", kind(&value));
                choices(place).into_iter().flat_map(references).collect()
            }
        }
    }
}

fn choices(place: &Map<String, Value>) -> Vec<&Value> {
    ["oneOf", "anyOf"].iter().filter_map(|key| place.get(*key)?.as_array()).flatten().collect()
}

/// What a value is, in a few words.
fn kind(value: &Value) -> String {
    let references = references(value);
    if let [(_, title)] = references.as_slice() {
        let list = value.get("items").is_some();
        let map = value.get("additionalProperties").is_some();
        return if list {
            format!("list of {title}")
        } else if map {
            format!("map from name to {title}")
        } else {
            title.clone()
        };
    }
    let of = |kind: &str| {
        match kind {
            "integer" => "whole number",
            "array" => "list",
            "object" => "map",
            "boolean" => "`true` or `false`",
            "string" => "text",
            other => other,
        }
        .to_owned()
    };
    match value.get("type") {
        Some(Value::String(kind)) => of(kind),
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .filter(|kind| *kind != "null")
            .map(of)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => {
            let parts = value.as_object().map(choices).unwrap_or_default();
            parts.into_iter().map(kind).filter(|kind| kind != "null").collect::<Vec<_>>().join(", or ")
        }
    }
}

/// The definitions that a value refers to: name, and what a person calls it.
fn references(value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let inner = ["items", "additionalProperties"].iter().filter_map(|key| value.get(*key));
    let parts = value.as_object().map(choices).unwrap_or_default();
    for place in std::iter::once(value).chain(inner).chain(parts) {
        let reference = place.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix("#/$defs/"));
        if let Some(name) = reference {
            found.push((name.to_owned(), title(name)));
        }
    }
    found
}

/// What a person calls a definition.
fn title(name: &str) -> String {
    match name.strip_prefix(ONE_OR_LIST) {
        Some(entry) => format!("{entry}, or a list of them"),
        None => name.replace("PerGroup_double", "Number by group").replace("PerGroup_", "By group: "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn generated_pages_in_the_book_are_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference");
        for (file, text) in pages() {
            let path = folder.join(&file);
            if std::env::var_os("UPDATE_SCHEMA").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(kept == text, "docs/src/reference/{file} is not current: run the tests with UPDATE_SCHEMA=1");
        }
    }

    #[test]
    fn every_layer_and_augmentation_has_a_section() {
        use crate::spec::named::Named;
        let pages = pages();
        let text = |file: &str| pages.iter().find(|(name, _)| name == file).map(|(_, text)| text.as_str()).unwrap();
        for name in crate::layers::AnyLayer::NAMES {
            assert!(text("layers.md").contains(&format!("\n### {name}\n")), "{name}");
        }
        for name in crate::augment::Augment::NAMES {
            assert!(text("augmentation.md").contains(&format!("\n### {name}\n")), "{name}");
        }
        let plugins = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")).unwrap();
        let plugins = plugins.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        for name in plugins.filter(|name| !["abi", "sdk", "README.md"].contains(&name.as_str())) {
            assert!(text("layers.md").contains(&format!("\n### {name}\n")), "{name}");
        }
        assert!(text("schedule.md").contains("### adamw"));
        for name in crate::optim::Scheduler::NAMES {
            assert!(text("schedule.md").contains(&format!("\n### {name}\n")), "{name}");
        }
        assert!(text("backbones.md").contains("`vgg11_bn`"));
    }
}
