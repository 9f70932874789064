//! `plugins:` in a spec.

use super::Path;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// The plugins, and how they are run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plugins {
    /// What is loaded.
    pub load: Vec<PluginSource>,
    /// Whether each use of a layer is watched: all buffers are copies between guard words, and what
    /// comes out must be finite.
    pub guard: bool,
    /// Whether the YAML has the long form: a map with `load`.
    pub long_form: bool,
}

/// One plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSource {
    /// A library, or a folder that one is built from, relative to the spec.
    pub path: PathBuf,
    /// The hash that the library must have.
    pub sha256: Option<String>,
}

impl Plugins {
    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.load.is_empty()
    }

    /// The place of an entry of [`Plugins::load`] in a spec.
    pub fn path_of(&self, index: usize) -> Path {
        let plugins = Path::of("plugins");
        if self.long_form { plugins.key("load").index(index) } else { plugins.index(index) }
    }
}

/// The long form of [`Plugins`].
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PluginsMap {
    /// The plugins: each a library, or a folder that one is built from (with a `Cargo.toml`, a
    /// `Makefile`, or a single C file), relative to the spec.
    load: Vec<PluginSource>,
    /// Watch each use of a plugin's layer: writing beside a buffer, values left unwritten and values
    /// that are not finite end the run, and are named. Slow.
    #[serde(default)]
    guard: bool,
}

/// The long form of [`PluginSource`].
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PluginSourceMap {
    /// A library, or a folder that one is built from, relative to the spec.
    path: PathBuf,
    /// The SHA-256 that the library must have, checked before any of its code runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    sha256: Option<String>,
}

impl Serialize for Plugins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.long_form {
            PluginsMap { load: self.load.clone(), guard: self.guard }.serialize(serializer)
        } else {
            self.load.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Plugins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PluginsForm)
    }
}

struct PluginsForm;

impl<'de> Visitor<'de> for PluginsForm {
    type Value = Plugins;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of plugins, or a map with `load`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Plugins, A::Error> {
        let load = Vec::deserialize(SeqAccessDeserializer::new(seq))?;
        Ok(Plugins { load, guard: false, long_form: false })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Plugins, A::Error> {
        let PluginsMap { load, guard } = PluginsMap::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Plugins { load, guard, long_form: true })
    }
}

impl Serialize for PluginSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.sha256 {
            None => self.path.serialize(serializer),
            Some(_) => PluginSourceMap { path: self.path.clone(), sha256: self.sha256.clone() }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PluginSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceForm)
    }
}

struct SourceForm;

impl<'de> Visitor<'de> for SourceForm {
    type Value = PluginSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path, or a map with `path`")
    }

    fn visit_str<E: Error>(self, path: &str) -> Result<PluginSource, E> {
        Ok(PluginSource { path: PathBuf::from(path), sha256: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PluginSource, A::Error> {
        let PluginSourceMap { path, sha256 } = PluginSourceMap::deserialize(MapAccessDeserializer::new(map))?;
        Ok(PluginSource { path, sha256 })
    }
}

impl JsonSchema for Plugins {
    fn schema_name() -> Cow<'static, str> {
        "Plugins".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = generator.subschema_for::<Vec<PluginSource>>();
        let map = generator.subschema_for::<PluginsMap>();
        json_schema!({
            "description": "Shared libraries that bring layers: a list of them, or `load` and how they are run.",
            "anyOf": [list, map]
        })
    }
}

impl JsonSchema for PluginSource {
    fn schema_name() -> Cow<'static, str> {
        "PluginSource".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<PluginSourceMap>();
        json_schema!({ "description": "A plugin: its path, or its path and hash.", "anyOf": [{ "type": "string" }, map] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Plugins {
        let plugins: Plugins = serde_yaml::from_str(yaml).unwrap();
        let written = serde_yaml::to_string(&plugins).unwrap();
        assert_eq!(serde_yaml::from_str::<Plugins>(&written).unwrap(), plugins, "{written}");
        plugins
    }

    #[test]
    fn every_form_is_read_and_comes_back() {
        let short = read("[a.so, { path: b, sha256: abc }]");
        assert_eq!(short.load[0], PluginSource { path: "a.so".into(), sha256: None });
        assert_eq!(short.load[1], PluginSource { path: "b".into(), sha256: Some("abc".into()) });
        assert!(!short.guard);
        assert!(read("{ load: [a], guard: true }").guard);
        assert!(read("[]").is_empty());
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in
            ["3", "{ guard: true }", "[{ sha256: x }]", "[{ path: a, sha: x }]", "[[a]]", "{ load: [], gard: true }"]
        {
            assert!(serde_yaml::from_str::<Plugins>(bad).is_err(), "{bad}");
        }
    }
}
