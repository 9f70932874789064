//! Weights that a spec starts from: a file, or what a run has learnt.

use super::{Allow, Path, Problem, Problems};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// Weights to start from: the path of a file, or a map with `run` or `file`.
#[derive(Debug, Clone, PartialEq)]
pub enum Weights {
    /// A weight file.
    File(PathBuf),
    /// The long form.
    Map(Box<WeightsMap>),
}

/// What of a run, or of a file, is taken.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightsMap {
    /// A run: its directory, relative to the spec; or the name of a pipeline, for its latest finished
    /// run in `runs/NAME/`. Either this or `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<PathBuf>,
    /// A weight file (`.safetensors`, `.pth`, `.pt`), relative to the spec. Either this or `run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Which checkpoint of the run.
    #[serde(default, skip_serializing_if = "Checkpoint::is_best")]
    pub checkpoint: Checkpoint,
    /// Which tensors, by the begin of their names: `encoder.*` takes the encoder of an autoencoder. The
    /// begin is cut off, so that `encoder.conv1.weight` becomes the net's `conv1.weight`, and
    /// `encoder.0.weight` becomes `layers.0.weight` where the net is written as `layers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<String>,
    /// The only gaps between the weights and the net that loading lets pass.
    #[serde(default, skip_serializing_if = "Allow::is_empty")]
    pub allow: Allow,
}

/// A checkpoint of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Checkpoint {
    /// That with the best weights.
    #[default]
    Best,
    /// That of the last epoch.
    Last,
}

impl Checkpoint {
    /// Its file within the run directory.
    pub fn file(self) -> &'static str {
        match self {
            Checkpoint::Best => "checkpoints/best.safetensors",
            Checkpoint::Last => "checkpoints/last.safetensors",
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
    fn is_best(&self) -> bool {
        *self == Checkpoint::Best
    }
}

impl Weights {
    /// The long form, if it has that.
    pub fn map(&self) -> Option<&WeightsMap> {
        match self {
            Weights::File(_) => None,
            Weights::Map(map) => Some(map),
        }
    }

    /// The begin of the names that are taken; `None` where all are.
    pub fn prefix(&self) -> Option<&str> {
        let prefix = self.map()?.take.as_deref()?.strip_suffix('*')?;
        Some(prefix).filter(|prefix| !prefix.is_empty())
    }

    /// The gaps that it lets pass itself.
    pub fn allow(&self) -> Allow {
        self.map().map(|map| map.allow.clone()).unwrap_or_default()
    }

    /// The paths in it, to be changed; that of a run may be a name.
    pub fn paths_mut(&mut self) -> (Option<&mut PathBuf>, Option<&mut PathBuf>) {
        match self {
            Weights::File(file) => (Some(file), None),
            Weights::Map(map) => (map.file.as_mut(), map.run.as_mut()),
        }
    }

    /// Notes all that is wrong with it in itself. `at` is where it stands in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        let Some(map) = self.map() else { return };
        match (&map.run, &map.file) {
            (Some(_), Some(_)) => problems.push(
                Problem::new(at.key("file"), "the weights are given twice: `run` and `file`").at_key().help("keep one"),
            ),
            (None, None) => problems.push(
                Problem::new(at.clone(), "where the weights come from is missing")
                    .help("`{ run: NAME }` for what a run has learnt, or `{ file: net.safetensors }`"),
            ),
            (None, Some(_)) if !map.checkpoint.is_best() => problems
                .push(Problem::new(at.key("checkpoint"), "`checkpoint` goes with `run`, and there is none").at_key()),
            _ => {}
        }
        if let Some(take) = &map.take
            && (!take.ends_with('*') || take.matches('*').count() > 1)
        {
            let problem = Problem::new(at.key("take"), format!("`{take}` is no begin of names"));
            problems.push(problem.help("it ends with the only `*`: `encoder.*`; what is before it is cut off"));
        }
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Weights::File(file) => write!(f, "{}", file.display()),
            Weights::Map(map) => {
                let source = map.file.as_ref().or(map.run.as_ref());
                let what = if map.run.is_some() { "run " } else { "" };
                write!(f, "{what}{}", source.map_or_else(String::new, |source| source.display().to_string()))?;
                map.take.as_ref().map_or(Ok(()), |take| write!(f, " ({take})"))
            }
        }
    }
}

impl Serialize for Weights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Weights::File(file) => file.serialize(serializer),
            Weights::Map(map) => map.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Weights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Weights;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the path of a weight file, or a map with `run` or `file`")
    }

    fn visit_str<E: Error>(self, path: &str) -> Result<Weights, E> {
        Ok(Weights::File(path.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Weights, A::Error> {
        WeightsMap::deserialize(MapAccessDeserializer::new(map)).map(Box::new).map(Weights::Map)
    }
}

impl JsonSchema for Weights {
    fn schema_name() -> Cow<'static, str> {
        "Weights".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<WeightsMap>();
        json_schema!({
            "description": "Weights to start from: the path of a file, or a map with `run` or `file`.",
            "anyOf": [{ "type": "string" }, map]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Weights {
        let weights: Weights = serde_yaml::from_str(yaml).unwrap();
        let written = serde_yaml::to_string(&weights).unwrap();
        assert_eq!(serde_yaml::from_str::<Weights>(&written).unwrap(), weights, "{written}");
        weights
    }

    fn faults(yaml: &str) -> Vec<String> {
        let mut problems = Problems::default();
        read(yaml).check(&Path::of("weights"), &mut problems);
        problems.0.into_iter().map(|problem| problem.path.to_string()).collect()
    }

    #[test]
    fn a_path_or_a_map_is_read_and_written() {
        assert_eq!(read("a.pth"), Weights::File("a.pth".into()));
        let run = read("{ run: runs/ae, take: encoder.*, checkpoint: last, allow: { missing: [x] } }");
        assert_eq!(run.prefix(), Some("encoder."));
        assert_eq!(run.to_string(), "run runs/ae (encoder.*)");
        assert_eq!(run.allow().missing, ["x"]);
        assert_eq!((read("{ run: ae, take: '*' }").prefix(), read("{ file: a.pth }").prefix()), (None, None));
        assert_eq!(read("{ file: a.pth }").to_string(), "a.pth");
        assert!(serde_yaml::from_str::<Weights>("{ run: ae, takes: x }").unwrap_err().to_string().contains("`takes`"));
    }

    #[test]
    fn what_cannot_be_is_found_at_its_place() {
        assert!(faults("a.pth").is_empty() && faults("{ run: ae, take: encoder.* }").is_empty());
        assert_eq!(faults("{ run: ae, file: a.pth }"), ["weights.file"]);
        assert_eq!(faults("{ take: encoder.* }"), ["weights"]);
        assert_eq!(faults("{ file: a.pth, checkpoint: last }"), ["weights.checkpoint"]);
        for take in ["encoder", "'*.weight'", "'a*b*'", "''"] {
            assert_eq!(faults(&format!("{{ run: ae, take: {take} }}")), ["weights.take"], "{take}");
        }
    }
}
