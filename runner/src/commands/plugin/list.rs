//! `runner plugin list PATH`: what a plugin brings.

use crate::commands::CommandError;
use crate::plugin::{self, Kind, Plugin};
use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};
use std::path::Path;

/// Writes what a plugin is and the layers that it brings, with their arguments, as aligned text or,
/// with `json`, as one JSON object.
pub fn run(path: &Path, json: bool, out: &mut impl Write) -> Result<(), CommandError> {
    let contents = Contents::of(&plugin::load(path, None)?);
    if json {
        serde_json::to_writer_pretty(&mut *out, &contents).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        contents.print(out)?;
    }
    Ok(out.flush()?)
}

#[derive(Serialize)]
struct Contents {
    path: String,
    sha256: String,
    interface: String,
    name: String,
    version: String,
    layers: Vec<Layer>,
}

#[derive(Serialize)]
struct Layer {
    name: String,
    documentation: String,
    flags: Vec<&'static str>,
    /// The fewest and the most.
    inputs: [usize; 2],
    /// Where tensors may be that it is given.
    devices: Vec<&'static str>,
    arguments: Vec<Argument>,
    /// The whole JSON Schema of the arguments.
    schema: Value,
}

#[derive(Serialize)]
struct Argument {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    required: bool,
    default: Option<Value>,
    description: String,
}

impl Contents {
    fn of(plugin: &Plugin) -> Self {
        let [major, minor] = plugin.interface;
        Contents {
            path: plugin.path.display().to_string(),
            sha256: plugin.sha256.clone(),
            interface: format!("{major}.{minor}"),
            name: plugin.name.clone(),
            version: plugin.version.clone(),
            layers: plugin.kinds.iter().map(|kind| Layer::of(kind)).collect(),
        }
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "plugin     {} {}", self.name, self.version)?;
        writeln!(out, "path       {}", self.path)?;
        writeln!(out, "sha256     {}", self.sha256)?;
        writeln!(out, "interface  {}", self.interface)?;
        self.layers.iter().try_for_each(|layer| layer.print(out))
    }
}

impl Layer {
    fn of(kind: &Kind) -> Self {
        Layer {
            name: kind.name().to_owned(),
            documentation: kind.documentation().to_owned(),
            flags: flags(kind),
            inputs: kind.inputs(),
            devices: if kind.takes_gpu_tensors() { vec!["cpu", "cuda"] } else { vec!["cpu"] },
            arguments: arguments(kind.arguments().schema()),
            schema: kind.arguments().schema().clone(),
        }
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let line = self.documentation.lines().next().unwrap_or_default();
        writeln!(out, "\n{}{}{line}", self.name, if line.is_empty() { "" } else { ": " })?;
        let inputs = match self.inputs {
            [1, 1] => "1 input".to_owned(),
            [fewest, most] if fewest == most => format!("{fewest} inputs"),
            [fewest, usize::MAX] => format!("{fewest} inputs or more"),
            [fewest, most] => format!("{fewest} to {most} inputs"),
        };
        writeln!(out, "  takes  {inputs}")?;
        writeln!(out, "  on     {}", self.devices.join(", "))?;
        if !self.flags.is_empty() {
            writeln!(out, "  flags  {}", self.flags.join("; "))?;
        }
        let width = |text: fn(&Argument) -> &str| {
            self.arguments.iter().map(|argument| text(argument).chars().count()).max().unwrap_or(0)
        };
        let (names, kinds) = (width(|argument| &argument.name), width(|argument| &argument.kind));
        let defaults: Vec<String> = self.arguments.iter().map(Argument::default_in_words).collect();
        let default_width = defaults.iter().map(|default| default.chars().count()).max().unwrap_or(0);
        for (argument, default) in self.arguments.iter().zip(&defaults) {
            let Argument { name, kind, description, .. } = argument;
            let line = description.lines().next().unwrap_or_default();
            let text = format!("    {name:names$}  {kind:kinds$}  {default:default_width$}  {line}");
            writeln!(out, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

impl Argument {
    fn default_in_words(&self) -> String {
        match &self.default {
            _ if self.required => "required".to_owned(),
            None | Some(Value::Null) => "optional".to_owned(),
            Some(default) => format!("default {default}"),
        }
    }
}

/// What is true of a layer, in words.
fn flags(kind: &Kind) -> Vec<&'static str> {
    let flags = [
        (kind.has_parameters(), "has parameters"),
        (kind.has_modes(), "differs between training and evaluation"),
        (kind.is_random(), "random in training"),
        (kind.is_thread_safe(), "one instance serves several threads"),
        (!kind.keeps_inputs(), "backward needs no inputs"),
        (!kind.keeps_output(), "backward needs no output"),
    ];
    flags.into_iter().filter(|(is, _)| *is).map(|(_, words)| words).collect()
}

/// The arguments that a schema lists.
fn arguments(schema: &Value) -> Vec<Argument> {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let argument = |(name, of): (&String, &Value)| Argument {
        name: name.clone(),
        kind: kind_of(schema, of, 0),
        required: required.contains(&name.as_str()),
        default: of.get("default").cloned(),
        description: text(of, "description"),
    };
    schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(argument).collect()
}

/// How far references within a schema are followed: it may refer to itself.
const MAX_DEPTH: usize = 8;

/// The type of an argument: `integer`, `number or null`, `"a" or "b"`.
fn kind_of(root: &Value, of: &Value, depth: usize) -> String {
    let any = || "any".to_owned();
    if depth == MAX_DEPTH {
        return any();
    }
    if let Some(pointer) = of.get("$ref").and_then(Value::as_str) {
        let target = pointer.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or_else(any, |target| kind_of(root, target, depth + 1));
    }
    let either = |values: &[Value], word: &dyn Fn(&Value) -> String| values.iter().map(word).collect::<Vec<_>>();
    let words = match (of.get("enum"), of.get("const"), of.get("type"), of.get("anyOf").or(of.get("oneOf"))) {
        (Some(Value::Array(values)), ..) => either(values, &Value::to_string),
        (_, Some(value), ..) => vec![value.to_string()],
        (.., Some(Value::Array(types)), _) => either(types, &|one| one.as_str().map_or_else(any, str::to_owned)),
        (.., Some(Value::String(one)), _) => vec![one.clone()],
        (.., Some(Value::Array(of))) => either(of, &|one| kind_of(root, one, depth + 1)),
        _ => vec![any()],
    };
    words.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_are_told_by_type_default_and_description() {
        let schema = json!({
            "properties": {
                "size": { "type": "integer", "description": "The size.\n\nMore." },
                "p": { "type": "number", "default": 0.5 },
                "stride": { "type": ["integer", "null"], "default": null },
                "how": { "$ref": "#/$defs/how" },
                "either": { "anyOf": [{ "type": "boolean" }, { "const": "auto" }] },
                "free": true,
                "tree": { "$ref": "#/properties/tree" },
            },
            "required": ["size"],
            "$defs": { "how": { "enum": ["a", "b"] } },
        });
        let told: Vec<String> = arguments(&schema)
            .iter()
            .map(|argument| format!("{} {} {}", argument.name, argument.kind, argument.default_in_words()))
            .collect();
        assert_eq!(
            told,
            [
                "size integer required",
                "p number default 0.5",
                "stride integer or null optional",
                "how \"a\" or \"b\" optional",
                "either boolean or \"auto\" optional",
                "free any optional",
                "tree any optional",
            ]
        );
        assert!(arguments(&json!(true)).is_empty());
    }
}
