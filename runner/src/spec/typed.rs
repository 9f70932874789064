//! From a value to a [`Pipeline`], with as many problems as can be told in one go.
//!
//! serde stops at the first problem. What it complained about is taken out, and it reads the rest
//! again; complaints that come of the taking out are not passed on.

use super::named::Named;
use super::path::Segment;
use super::problem::nearest;
use super::serde_message::{self, Complaint};
use super::{Path, Pipeline, Problem, Problems};
use crate::layers::AnyLayer;
use serde_yaml::Value;

/// More problems than this are not looked for.
const MAX_PROBLEMS: usize = 50;

/// The pipeline that a value says.
pub fn pipeline(value: &Value) -> Result<Pipeline, Problems> {
    let mut problems = Problems::default();
    let mut rest = value.clone();
    let mut taken = Taken::default();
    for _ in 0..MAX_PROBLEMS {
        let (path, message) = match deserialize(&rest) {
            Ok(pipeline) => {
                problems.0.extend(unknown_layers(&pipeline, &taken, value));
                return problems.or(pipeline);
            }
            Err(error) => error,
        };
        let written = taken.as_written(&path);
        let complaint = Complaint::read(&message);
        if !taken.explains(&written, &complaint) {
            problems.push(serde_message::problem(&written, &message, &complaint, value));
        }
        if !taken.take(&mut rest, &path, written) {
            break;
        }
    }
    Err(problems)
}

/// Layers whose names the runner does not have. With plugins, these may: the plan sees to them.
fn unknown_layers(pipeline: &Pipeline, taken: &Taken, value: &Value) -> Vec<Problem> {
    if value.get("plugins").is_some() {
        return Vec::new();
    }
    let unknown = pipeline.layers_written().into_iter().filter(|(_, layer)| !AnyLayer::NAMES.contains(&layer.name()));
    let problem = |(entry, layer): (Path, &AnyLayer)| {
        let entry = taken.as_written(&entry);
        let alone = serde_message::lookup(value, &entry).is_some_and(Value::is_string);
        let at = if alone { entry } else { entry.key(layer.name()) };
        serde_message::unknown_name(&at, value, "layer", layer.name(), AnyLayer::NAMES)
    };
    unknown.map(problem).collect()
}

/// One reading by serde; its error is the path and the message.
fn deserialize(value: &Value) -> Result<Pipeline, (Path, String)> {
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(value, &mut track);
    serde_yaml::with::singleton_map_recursive::deserialize(deserializer)
        .map_err(|error: serde_yaml::Error| error.to_string())
        .map_err(|message| (path(&track.path()), message))
}

fn path(path: &serde_path_to_error::Path) -> Path {
    use serde_path_to_error::Segment as Theirs;
    let segments = path.iter().filter_map(|segment| match segment {
        Theirs::Seq { index } => Some(Segment::Index(*index)),
        Theirs::Map { key } => Some(Segment::Key(key.clone())),
        Theirs::Enum { variant } => Some(Segment::Key(variant.clone())),
        Theirs::Unknown => None,
    });
    Path(segments.collect())
}

/// What was taken out of the value, by the paths that it had as written.
#[derive(Default)]
struct Taken {
    paths: Vec<Path>,
}

impl Taken {
    /// The path before anything was taken out: entries of lists have moved up since.
    fn as_written(&self, path: &Path) -> Path {
        let mut written = Path::default();
        for segment in &path.0 {
            written = match segment {
                Segment::Key(key) => written.key(key.as_str()),
                Segment::Index(index) => written.index(self.index_as_written(&written, *index)),
            };
        }
        written
    }

    fn index_as_written(&self, list: &Path, index: usize) -> usize {
        let mut taken: Vec<usize> = self
            .paths
            .iter()
            .filter_map(|path| match path.0.split_last() {
                Some((Segment::Index(index), outer)) if outer == list.0.as_slice() => Some(*index),
                _ => None,
            })
            .collect();
        taken.sort_unstable();
        taken.into_iter().fold(index, |index, taken| if taken <= index { index + 1 } else { index })
    }

    /// Whether a complaint comes of something that was taken out, or of a key misspelt there.
    fn explains(&self, path: &Path, complaint: &Complaint) -> bool {
        let inside = self.paths.iter().filter_map(|taken| taken.0.strip_prefix(path.0.as_slice()));
        match complaint {
            Complaint::Missing { field } => inside.into_iter().any(|rest| match rest {
                [Segment::Key(key)] => key == field || nearest(key, [field.as_str()]).is_some(),
                _ => false,
            }),
            _ => inside.into_iter().next().is_some(),
        }
    }

    /// Takes out what was complained about. False where nothing is left that could be.
    fn take(&mut self, rest: &mut Value, path: &Path, written: Path) -> bool {
        let Some((last, outer)) = path.0.split_last() else { return false };
        let parent = outer.iter().try_fold(rest, |value, segment| match segment {
            Segment::Key(key) => value.get_mut(key.as_str()),
            Segment::Index(index) => value.get_mut(*index),
        });
        let removed = match (parent, last) {
            (Some(Value::Mapping(map)), Segment::Key(key)) => map.remove(key.as_str()).is_some(),
            (Some(Value::Sequence(list)), Segment::Index(index)) if *index < list.len() => {
                list.remove(*index);
                true
            }
            _ => false,
        };
        self.paths.push(written);
        removed
    }
}
