//! From a file to a [`Pipeline`].

use super::located::Located;
use super::node::{Content, Node, Span};
use super::parse::{self, Stop};
use super::source_map::SourceText;
use super::text::{self, NotText, Text};
use super::{Override, Pipeline, Problems, SourceMap, SpecError, typed};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A spec, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it says.
    pub pipeline: Pipeline,
    /// The text of the file.
    pub text: String,
    /// Where each value stands.
    pub map: SourceMap,
    /// The folder of the file: paths in the spec are relative to it.
    pub dir: PathBuf,
}

impl Loaded {
    /// The problems that were found with the spec later on, as an error that points into it.
    pub fn error(&self, problems: &Problems) -> SpecError {
        SpecError::new(problems, &self.map)
    }
}

/// Reads a spec. Values in `overrides` take the place of the file's.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Loaded, SpecError> {
    let name = path.display().to_string();
    let unread = |error: std::io::Error| SpecError::unread(format!("cannot read {name}: {error}"));
    let (bytes, cut) = File::open(path).and_then(text::read).map_err(unread)?;
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    load_bytes(&name, &bytes, cut, dir, overrides)
}

/// Reads a spec from a text that was had otherwise; `name` is what errors call it.
pub fn load_text(name: &str, text: &str, dir: &Path, overrides: &[Override]) -> Result<Loaded, SpecError> {
    let cut = text.len() > text::MAX_BYTES;
    let bytes = text.as_bytes().get(..text::MAX_BYTES).unwrap_or(text.as_bytes());
    load_bytes(name, bytes, cut, dir.to_owned(), overrides)
}

fn load_bytes(name: &str, bytes: &[u8], cut: bool, dir: PathBuf, overrides: &[Override]) -> Result<Loaded, SpecError> {
    let mut sources = vec![SourceText { name: name.to_owned(), text: String::new() }];
    let text = text::decode(bytes, cut).map_err(|NotText { before, message }| {
        let end = before.len();
        let sources = [SourceText { name: name.to_owned(), text: before }];
        SpecError::located(vec![Located::new(Span { source: 0, start: end, end }, message)], &sources)
    })?;
    sources[0].text.clone_from(&text.text);
    let (mut root, mut faults) = tree(&text).map_err(|problem| SpecError::located(vec![problem], &sources))?;
    for (i, one) in overrides.iter().enumerate() {
        sources.push(SourceText { name: "--set".to_owned(), text: one.0.clone() });
        faults.extend(one.apply(&mut root, i + 1).err());
    }
    let map = SourceMap { sources, root };
    match typed::pipeline(&map.root.to_value()) {
        Ok(pipeline) if faults.is_empty() => Ok(Loaded { pipeline, text: text.text, map, dir }),
        Ok(_) => Err(SpecError::located(faults, &map.sources)),
        Err(problems) => {
            faults.extend(problems.0.iter().map(|problem| map.locate(problem)));
            Err(SpecError::located(faults, &map.sources))
        }
    }
}

/// The values of a text; a spec is a map at the top.
fn tree(text: &Text) -> Result<(Node, Vec<Located>), Located> {
    let start = Span::default();
    let parsed = match parse::parse(&text.text, 0) {
        Ok(_) | Err(Stop::Syntax(_)) if text.cut => {
            let limit = text::MAX_BYTES >> 20;
            return Err(Located::new(start, format!("the file is larger than a spec may be: {limit} MiB")));
        }
        other => other.map_err(Stop::located)?,
    };
    let needs = "a spec needs `name`, `data`, `backbone` or `layers`, and `schedule`";
    match parsed.node {
        Some(node @ Node { content: Content::Map(_), .. }) => Ok((node, parsed.faults)),
        Some(Node { content: Content::List(_), span }) => {
            let first = Span { end: span.start + 1, ..span };
            Err(Located::new(first, "a spec is made of keys such as `name:` and `data:`, this is a list").help(needs))
        }
        Some(Node { content: Content::Scalar(value), span }) if !value.is_null() => {
            let first = Span { end: span.start + 1, ..span };
            Err(Located::new(first, "a spec is made of keys such as `name:` and `data:`, this is a text").help(needs))
        }
        _ if text.text.trim().is_empty() => Err(Located::new(start, "the spec is empty").help(needs)),
        _ => Err(Located::new(start, "the spec says nothing: all of it is comments").help(needs)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::diagnostic::SpecError;
    use crate::spec::{self, LearningRate, Phase, Source};
    use proptest::prelude::*;

    /// A spec with something of everything.
    pub(super) const SPEC: &str = include_str!("testdata/spec.yaml");

    fn read(text: &str, sets: &[&str]) -> Result<Loaded, SpecError> {
        let overrides: Vec<Override> = sets.iter().map(|set| Override((*set).to_owned())).collect();
        load_text("spec.yaml", text, Path::new("dir"), &overrides)
    }

    fn rate(phase: &Phase, group: &str) -> Option<f64> {
        match &phase.lr {
            LearningRate::Groups(rates) => rates.get(group).copied(),
            _ => None,
        }
    }

    #[test]
    fn a_spec_is_read() {
        let loaded = read(SPEC, &[]).unwrap();
        let spec = loaded.pipeline;
        assert_eq!((spec.name.as_str(), spec.seed), ("medical", 7));
        assert_eq!(spec.data.source, Source::Dataset("blood_cells".to_owned()));
        let phases = spec.schedule.phases.unwrap();
        assert_eq!(rate(&phases[0], "head"), Some(3e-3));
        assert_eq!(rate(&phases[1], "head"), Some(1e-3));
        assert_eq!(rate(&phases[1], "blocks.13-15"), Some(3e-4));
        assert_eq!(loaded.dir, Path::new("dir"));
    }

    #[test]
    fn set_replaces_and_adds_values() {
        let sets = [
            "schedule.phases.0.epochs=1",
            "data.split={ train: 0.5, val: 0.25, test: 0.25 }",
            "regularization.clip_grad_norm=1e0",
            "schedule.phases.1.lr.\"blocks.13-15\"=5e-5",
            "head.0.flatten={}",
        ];
        let loaded = read(SPEC, &sets[..4]).unwrap();
        let spec = loaded.pipeline;
        let phases = spec.schedule.phases.unwrap();
        assert_eq!(phases[0].epochs, Some(1));
        assert_eq!(spec.data.split.test, Some(0.25));
        assert_eq!(spec.regularization.clip_grad_norm, Some(1.0));
        assert_eq!(rate(&phases[1], "blocks.13-15"), Some(5e-5));
        assert_eq!(
            read(SPEC, &sets).unwrap_err().to_string(),
            "--set:1:8: `flatten` cannot be set: what is around it is a single value"
        );
    }

    #[test]
    fn set_makes_what_is_missing() {
        let (start, _) = SPEC.split_once("\nschedule:").unwrap();
        let text = format!("{start}\nschedule:\n");
        let sets =
            ["schedule.gradual_unfreeze={ every: 2, stages: [head], lr: 1e-3 }", "schedule.optimizer.sgd.momentum=0.8"];
        let spec = read(&text, &sets).unwrap().pipeline;
        assert_eq!(spec.schedule.gradual_unfreeze.unwrap().every, 2);
    }

    #[test]
    fn a_null_of_set_takes_a_value_away() {
        let spec = read(SPEC, &["head=null"]).unwrap().pipeline;
        assert_eq!(spec.head, None);
    }

    #[test]
    fn a_later_problem_in_a_value_of_set_points_at_it() {
        let loaded = read(SPEC, &["seed=1", "data.batch=0"]).unwrap();
        let error = loaded.error(&spec::check(&loaded.pipeline));
        assert_eq!(error.to_string(), "--set:1:12: the batch must be at least 1 and at most 1048576, found 0");
    }

    #[test]
    fn problems_of_all_kinds_are_told_together_in_the_order_of_the_text() {
        let text = SPEC
            .replace("seed: 7", "sed: 7")
            .replace("batch: 32", "batch: 1\n  batch: 2")
            .replace("epochs: 4", "epochs: x");
        let error = read(&text, &["schedule.phases.9.lr=1"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "spec.yaml:2:1: unknown key `sed`\n\
             spec.yaml:10:3: the key `batch` is given twice\n\
             spec.yaml:39:29: expected a whole number, found the string `x`\n\
             --set:1:17: there is no entry 9"
        );
    }

    #[test]
    fn paths_survive_every_deserialize_of_our_own() {
        // A change of the spec, what the complaint is to point at, and the complaint.
        for (old, new, written, message) in [
            ("train: [head]", "train: [head, 5]", "5]", "expected a string, found the number `5`"),
            ("\"*\": 3e-4", "\"*\": fast", "fast }", "expected a number, found the string `fast`"),
            ("lr: 3e-3", "lr: fast", "fast }", "expected a number, found the string `fast`"),
            ("batch_norm: statistics", "batch_norm: { head: froze }", "froze }", "unknown value `froze`"),
            ("size: 96", "size: [96, x]", "x]", "expected a whole number, found the string `x`"),
            ("size: 96", "size: -1", "-1,", "a size cannot be negative"),
            ("horizontal_flip: 0.5", "horizontal_flip: x", "x\n", "expected a number, found the string `x`"),
            ("device: auto", "device: tpu", "tpu\n", "unknown device `tpu`"),
            ("weight_decay: 0.01", "weight_decay: x", "x }", "expected a number, found the string `x`"),
            (
                "{ out: classes }",
                "{ out: all }",
                "all }",
                "expected a whole number from 1, or `classes`, found the string `all`",
            ),
            ("{ out: classes }", "{ uot: classes }", "uot", "unknown key `uot`"),
            ("- linear:", "- linar:", "linar", "unknown layer `linar`"),
            (
                "normalize: backbone",
                "normalize: { custom: { mean: [x], std: [1] } }",
                "x]",
                "expected a number, found the string `x`",
            ),
            ("normalize: backbone", "normalize: { custom: { mean: [0] } }", "custom:", "`custom` needs `std`"),
            ("normalize: backbone", "normalize: custom", "custom }", "`custom` needs a value: `custom: ...`"),
        ] {
            let text = SPEC.replace(old, new);
            assert_ne!(text, SPEC, "{old}");
            let error = read(&text, &[]).unwrap_err();
            let (position, found) = error.summary().next().unwrap();
            assert_eq!(found, message);
            let position = position.unwrap();
            let line: String = text.split_inclusive('\n').nth(position.line - 1).unwrap().to_owned();
            assert!(line[position.column - 1..].starts_with(written), "{error}");
            assert_eq!(error.len(), 1, "{error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        let error = load(Path::new("/nowhere/spec.yaml"), &[]).unwrap_err();
        assert!(error.render(false).contains("cannot read /nowhere/spec.yaml"), "{error}");
        assert!(load(Path::new("/"), &[]).is_err(), "a folder");
    }

    /// Everything that is done with a spec; it must not panic.
    fn handle(bytes: &[u8], sets: &[Override]) {
        let error = match load_bytes("spec.yaml", bytes, false, PathBuf::new(), sets) {
            Ok(loaded) => loaded.error(&spec::check(&loaded.pipeline)),
            Err(error) => error,
        };
        let shown = error.render(false);
        assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), set in ".{0,20}") {
            handle(&bytes, &[Override(set)]);
        }

        #[test]
        fn no_text_makes_it_panic(text in r#"([a-c:\-\[\]{},"'&*!|>#%?~ \t\r\né]|\n  |: |- ){0,60}"#) {
            handle(text.as_bytes(), &[]);
        }

        #[test]
        fn no_change_of_a_spec_makes_it_panic(
            cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..30, r#"([\[\]{}:,"'*&\-\t\n xé0]){0,4}"#), 1..4),
            path in r#"(data|schedule|phases|lr|0|1|x|"a.b"|\.){0,6}=(1|x|\[|\{a: 1\}|~)?"#,
        ) {
            let mut text: Vec<char> = SPEC.chars().collect();
            for (at, length, by) in cuts {
                let start = at.index(text.len().max(1)).min(text.len());
                let end = (start + length).min(text.len());
                text.splice(start..end, by.chars());
            }
            let text: String = text.into_iter().collect();
            handle(text.as_bytes(), &[Override(path)]);
        }
    }
}
