//! Every YAML block of the book and of the README is a spec that `runner check` accepts, or a part of one.

use crate::plugin_support::{has_cc, has_make};
use crate::support::{Place, jpeg, repository, two_colours};
use runner::plan::Plan;
use runner::spec;
use runner::weights::save::{NamedTensor, Precision, save};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// What a part is a part of. `data` and `schedule` are completed by it key by key, or else `schedule` is
/// the part's own; what else a part has stands in the place of what is here.
const WHOLE: &str = r#"
name: whole
data:
  source: { synthetic: blood_cells }
  image: { size: 96 }
backbone: { arch: resnet18 }
schedule:
  phases:
    - { name: head, epochs: 4, train: [head], lr: 3e-3 }
    - { name: top, epochs: 6, train: [head, layer4], lr: { head: 1e-3, "*": 1e-4 } }
"#;

/// The head of a part that has layers of its own.
const HEAD: &str = "[global_avg_pool, { linear: { out: classes } }]";

/// Its schedule: its stages are not those of a backbone.
const SCHEDULE: &str = "phases: [{ name: all, epochs: 1, train: ['*'], lr: 1e-3 }]";

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The YAML blocks of a page, each with its line.
fn blocks(page: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(page).unwrap();
    let (mut blocks, mut open): (Vec<(usize, String)>, bool) = (Vec::new(), false);
    for (line, content) in (1..).zip(text.lines()) {
        if open && content.trim_start().starts_with("```") {
            open = false;
        } else if content.trim() == "```yaml" {
            open = true;
            blocks.push((line, String::new()));
        } else if let (true, Some((_, block))) = (open, blocks.last_mut()) {
            writeln!(block, "{content}").unwrap();
        }
    }
    blocks
}

/// The specs that a block may mean: one of them has to be sound.
fn meanings(block: &str) -> Vec<String> {
    let read = |text: &str| -> Map<String, Value> { serde_yaml::from_str(text).unwrap() };
    let part: Map<String, Value> = match serde_yaml::from_str(block).unwrap() {
        Value::Null => return Vec::new(),
        Value::Object(part) => part,
        other => panic!("no map, so no part of a spec: {other}"),
    };
    if part.contains_key("name") {
        return vec![block.to_owned()];
    }
    let with = |completed: &[&str]| {
        let mut whole = read(WHOLE);
        if part.contains_key("layers") {
            whole.remove("backbone");
            whole.insert("head".to_owned(), serde_yaml::from_str(HEAD).unwrap());
            whole.insert("schedule".to_owned(), serde_yaml::from_str(SCHEDULE).unwrap());
        }
        for (key, value) in &part {
            match (whole.get_mut(key), value) {
                (Some(Value::Object(there)), Value::Object(more)) if completed.contains(&key.as_str()) => {
                    there.extend(more.clone());
                }
                _ => {
                    whole.insert(key.clone(), value.clone());
                }
            }
        }
        // JSON is YAML, and its words are read as they are meant.
        serde_json::to_string_pretty(&whole).unwrap()
    };
    vec![with(&["data", "schedule"]), with(&["data"])]
}

/// The files that the book's specs name, and that the repository does not have.
fn files(place: &Place) {
    two_colours(place, "docs/skin", 4);
    let mut manifest = "path,label,patient\n".to_owned();
    for number in 0..12 {
        let path = format!("{number}.jpg");
        place.write(&format!("docs/{path}"), jpeg(20, 30, number, 1));
        writeln!(manifest, "{path},{},p{}", if number % 2 == 0 { "a" } else { "b" }, number / 2).unwrap();
    }
    place.write("docs/images.csv", manifest);
    let whole = spec::load_text("whole.yaml", WHOLE, place.path(), &[]).unwrap();
    let graph = Plan::new(&whole.pipeline, place.path()).unwrap().graph;
    let zeros = |param: &runner::net::Param| NamedTensor::of_param(param, &vec![0.0; param.def.count()]);
    let tensors: Vec<NamedTensor> = graph.params.iter().filter(|p| !p.name.starts_with("head")).map(zeros).collect();
    let fc = NamedTensor::new("fc.bias", vec![1000], vec![0.0; 1000]);
    for (name, more) in [("docs/resnet18.safetensors", None), ("docs/resnet18.pth", Some(fc))] {
        let tensors: Vec<NamedTensor> = tensors.iter().cloned().chain(more).collect();
        save(&place.path().join(name), &tensors, &BTreeMap::new(), Precision::Float16).unwrap();
    }
}

/// What `runner check` says of a spec that it refuses.
fn refused(place: &Place, spec: &str) -> Option<String> {
    let root = repository("").canonicalize().unwrap();
    // Paths of the book's specs begin at a folder of the repository.
    let at = |folder: &str| (format!("../{folder}/"), format!("{}/{folder}/", root.display()));
    let spec = [at("pipelines"), at("plugins")].iter().fold(spec.to_owned(), |spec, (from, to)| spec.replace(from, to));
    place.write("docs/spec.yaml", spec);
    let output = place.runner(&["check", "docs/spec.yaml"]).output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_spec_in_the_book_is_sound() {
    let mut found = vec![repository("README.md")];
    pages(&repository("docs/src"), &mut found);
    let place = Place::new();
    files(&place);
    let (cc, make) = (has_cc(), has_make());
    let (mut checked, mut wrong) = (0, String::new());
    for page in &found {
        for (line, block) in blocks(page) {
            // Read in by mdbook from a pipeline that is shipped; those are checked where they stand. What
            // names a plugin that the page has just told how to write is run with the page.
            let elsewhere = block.starts_with("{{#include") || block.contains("my_layer");
            let in_c = block.contains("feature_clip") || block.contains("scale_shift");
            let made = block.contains("plugins/swish");
            if elsewhere || (in_c && !cc) || (made && !make) {
                continue;
            }
            let errors: Vec<Option<String>> = meanings(&block).iter().map(|spec| refused(&place, spec)).collect();
            if !errors.is_empty() && errors.iter().all(Option::is_some) {
                let said = errors.into_iter().flatten().next().unwrap();
                writeln!(wrong, "{}:{line}: {said}", page.display()).unwrap();
            }
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(checked > 30, "only {checked} blocks were found");
}

#[test]
fn a_part_that_is_wrong_is_seen() {
    let place = Place::new();
    for block in ["regularization: { l3: 1e-4 }", "data: { oversample: { cell: 2 } }", "schedule: { phases: [] }"] {
        let all = meanings(block);
        assert!(all.iter().all(|spec| refused(&place, spec).is_some()), "{block}");
    }
    for block in
        ["regularization: { l2: 1e-4 }", "data: { batch: 8 }", "schedule: { fine_tune: { epochs: 1, lr: 1e-3 } }"]
    {
        assert!(meanings(block).iter().any(|spec| refused(&place, spec).is_none()), "{block}");
    }
}
