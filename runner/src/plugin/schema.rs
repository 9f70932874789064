//! The JSON Schema that a layer gives of its arguments.

use jsonschema::Validator;
use jsonschema::error::{TypeKind, ValidationError, ValidationErrorKind as Kind};
use serde_json::Value;

/// What a layer takes as arguments.
#[derive(Debug)]
pub struct Arguments {
    schema: Value,
    validator: Validator,
}

/// One step from the arguments to a value in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A key of a map.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

/// What is wrong with arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The way to the value that is meant.
    pub at: Vec<Step>,
    /// Whether the key itself is meant.
    pub at_key: bool,
    /// What is wrong.
    pub message: String,
    /// What a wrong key, or a wrong text in a value's place, may have meant.
    pub names: Vec<String>,
    /// The text in a value's place, where it is one.
    pub written: Option<String>,
}

impl Arguments {
    /// Reads a schema. One that reaches outside of itself is refused.
    pub fn new(schema: &str) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(schema).map_err(|error| format!("it is no JSON: {error}"))?;
        let validator = jsonschema::draft202012::new(&schema).map_err(|error| error.to_string())?;
        Ok(Arguments { schema, validator })
    }

    /// The schema itself.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// All that is wrong with arguments.
    pub fn faults(&self, arguments: &Value) -> Vec<Fault> {
        let mut faults: Vec<Fault> = Vec::new();
        for fault in self.validator.iter_errors(arguments).flat_map(|error| self.explain(&error, arguments)) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        faults
    }

    /// Arguments that the schema gives as examples.
    pub fn examples(&self) -> Vec<Value> {
        self.schema.get("examples").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// The names of the arguments.
    pub fn names(&self) -> Vec<String> {
        let properties = self.schema.get("properties").and_then(Value::as_object);
        properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
    }

    fn explain(&self, error: &ValidationError<'_>, arguments: &Value) -> Vec<Fault> {
        let pointer = error.instance_path().as_str();
        let at = steps(pointer);
        let written = error.instance().as_str().map(str::to_owned);
        let fault = |message: String| Fault {
            at: at.clone(),
            at_key: false,
            message,
            names: Vec::new(),
            written: written.clone(),
        };
        match error.kind() {
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                let names = if at.is_empty() { self.names() } else { Vec::new() };
                unexpected.iter().map(|key| unknown(&at, key, &names)).collect()
            }
            // A schema without properties, which allows no others.
            Kind::FalseSchema if error.schema_path().as_str().ends_with("/additionalProperties") => {
                let keys = arguments.pointer(pointer).and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
                keys.map(|key| unknown(&at, key, &[])).collect()
            }
            Kind::Required { property } => {
                vec![fault(format!("`{}` is missing", property.as_str().unwrap_or_default()))]
            }
            Kind::Type { kind } => {
                let expected = match kind {
                    TypeKind::Single(one) => named(&one.to_string()).to_owned(),
                    TypeKind::Multiple(types) => {
                        let types: Vec<String> = types.iter().map(|one| named(&one.to_string()).to_owned()).collect();
                        types.join(" or ")
                    }
                };
                vec![fault(format!("expected {expected}, found {}", found(error.instance())))]
            }
            Kind::Minimum { limit } => vec![fault(format!("{} is below {limit}", error.instance()))],
            Kind::Maximum { limit } => vec![fault(format!("{} is above {limit}", error.instance()))],
            Kind::ExclusiveMinimum { limit } => vec![fault(format!("{} is not above {limit}", error.instance()))],
            Kind::ExclusiveMaximum { limit } => vec![fault(format!("{} is not below {limit}", error.instance()))],
            _ => match options(error) {
                Some(options) if !options.is_empty() => {
                    let shown: Vec<String> = options.iter().map(|option| format!("`{}`", bare(option))).collect();
                    let message = format!("expected one of {}, found {}", shown.join(", "), found(error.instance()));
                    vec![Fault { names: options.iter().map(bare).collect(), ..fault(message) }]
                }
                _ => vec![fault(error.to_string())],
            },
        }
    }
}

/// A key in the map at `at` that is not allowed there.
fn unknown(at: &[Step], key: &str, names: &[String]) -> Fault {
    Fault {
        at: [at, &[Step::Key(key.to_owned())]].concat(),
        at_key: true,
        message: format!("unknown key `{key}`"),
        names: names.to_vec(),
        written: Some(key.to_owned()),
    }
}

/// The values that would do, where there is a list of them: also where each is described apart.
fn options(error: &ValidationError<'_>) -> Option<Vec<Value>> {
    match error.kind() {
        Kind::Enum { options } => options.as_array().cloned(),
        Kind::Constant { expected_value } => Some(vec![Value::clone(expected_value)]),
        // What may be left out may be nothing, too: not worth telling.
        Kind::Type { kind: TypeKind::Single(kind) } if kind.to_string() == "null" => Some(Vec::new()),
        Kind::OneOfNotValid { context } | Kind::AnyOf { context } => {
            let branch = |errors: &Vec<ValidationError<'static>>| match &errors[..] {
                [only] => options(only),
                _ => None,
            };
            Some(context.iter().map(branch).collect::<Option<Vec<_>>>()?.concat())
        }
        _ => None,
    }
}

/// A value as one would write it.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The steps of a JSON pointer to where an error is.
fn steps(pointer: &str) -> Vec<Step> {
    let step = |part: &str| match part.parse() {
        Ok(index) => Step::Index(index),
        Err(_) => Step::Key(part.replace("~1", "/").replace("~0", "~")),
    };
    pointer.split('/').skip(1).map(step).collect()
}

/// A type of JSON in the words of the other complaints.
fn named(kind: &str) -> &str {
    match kind {
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a string",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a map",
        "null" => "nothing",
        other => other,
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number `{number}`"),
        Value::String(text) => format!("the string `{text}`"),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a map".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn arguments() -> Arguments {
        let schema = json!({
            "type": "object",
            "properties": {
                "size": { "type": "integer", "minimum": 1 },
                "p": { "type": "number", "exclusiveMaximum": 1 },
                "range": { "type": "array", "items": { "type": ["number", "null"] } },
                "how": { "enum": ["a", "b"] },
                "mode": { "anyOf": [{ "$ref": "#/$defs/Mode" }, { "type": "null" }] },
            },
            "required": ["size"],
            "additionalProperties": false,
            "$defs": { "Mode": { "oneOf": [{ "const": "slow" }, { "const": "fast" }] } },
            "examples": [{ "size": 2 }],
        });
        Arguments::new(&schema.to_string()).unwrap()
    }

    fn complaints(value: &Value) -> Vec<String> {
        let shown = |fault: Fault| {
            let at: Vec<String> = fault
                .at
                .iter()
                .map(|step| match step {
                    Step::Key(key) => key.clone(),
                    Step::Index(index) => index.to_string(),
                })
                .collect();
            format!("{}: {}", at.join("."), fault.message)
        };
        arguments().faults(value).into_iter().map(shown).collect()
    }

    #[test]
    fn arguments_that_fit_pass() {
        assert_eq!(complaints(&json!({ "size": 2, "p": 0.5, "range": [1, null], "how": "a" })), Vec::<String>::new());
        assert_eq!(arguments().examples(), [json!({ "size": 2 })]);
        assert_eq!(arguments().names(), ["size", "p", "range", "how", "mode"]);
    }

    #[test]
    fn each_fault_is_told_at_its_place() {
        for (value, expected) in [
            (json!({}), ": `size` is missing"),
            (json!({ "size": 2.5 }), "size: expected a whole number, found the number `2.5`"),
            (json!({ "size": "x" }), "size: expected a whole number, found the string `x`"),
            (json!({ "size": 0 }), "size: 0 is below 1"),
            (json!({ "size": 1, "p": 1 }), "p: 1 is not below 1"),
            (json!({ "size": 1, "range": [1, "x"] }), "range.1: expected nothing or a number, found the string `x`"),
            (json!({ "size": 1, "how": "c" }), "how: expected one of `a`, `b`, found the string `c`"),
            (json!({ "size": 1, "mode": "slw" }), "mode: expected one of `slow`, `fast`, found the string `slw`"),
            (json!(3), ": expected a map, found the number `3`"),
        ] {
            assert_eq!(complaints(&value), [expected], "{value}");
        }
    }

    #[test]
    fn several_faults_are_told_together_and_an_unknown_key_with_the_names_there_are() {
        let faults = arguments().faults(&json!({ "siz": 1, "p": "x" }));
        assert_eq!(faults.len(), 3, "{faults:?}");
        let unknown = faults.iter().find(|fault| fault.at_key).unwrap();
        assert_eq!((&unknown.at[..], &unknown.message[..]), (&[Step::Key("siz".into())][..], "unknown key `siz`"));
        assert_eq!(unknown.names, arguments().names());
    }

    #[test]
    fn keys_of_a_layer_without_arguments_are_unknown() {
        for schema in [
            json!({ "type": "object", "additionalProperties": false }),
            json!({ "type": "object", "properties": {}, "additionalProperties": false }),
        ] {
            let arguments = Arguments::new(&schema.to_string()).unwrap();
            let faults = arguments.faults(&json!({ "a": 1, "b": {} }));
            let told: Vec<(&[Step], bool)> = faults.iter().map(|fault| (&fault.at[..], fault.at_key)).collect();
            assert_eq!(told, [(&[Step::Key("a".into())][..], true), (&[Step::Key("b".into())], true)], "{schema}");
        }
    }

    #[test]
    fn a_schema_that_is_none_is_refused() {
        for bad in ["", "{", "3", r#"{ "type": "nothing" }"#, r#"{ "$ref": "http://localhost:1/x" }"#] {
            assert!(Arguments::new(bad).is_err(), "{bad}");
        }
    }
}
