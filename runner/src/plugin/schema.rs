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
    /// The names that a wrong key may have meant.
    pub names: Vec<String>,
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
        self.validator.iter_errors(arguments).flat_map(|error| self.explain(&error)).collect()
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

    fn explain(&self, error: &ValidationError<'_>) -> Vec<Fault> {
        let at = steps(error.instance_path().as_str(), error);
        let fault = |message: String| Fault { at: at.clone(), at_key: false, message, names: Vec::new() };
        match error.kind() {
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                let names = if at.is_empty() { self.names() } else { Vec::new() };
                let unknown = |key: &String| Fault {
                    at: [&at[..], &[Step::Key(key.clone())]].concat(),
                    at_key: true,
                    message: format!("unknown key `{key}`"),
                    names: names.clone(),
                };
                unexpected.iter().map(unknown).collect()
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
            _ => vec![fault(error.to_string())],
        }
    }
}

/// The steps of a JSON pointer to where an error is.
fn steps(pointer: &str, _: &ValidationError<'_>) -> Vec<Step> {
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
            },
            "required": ["size"],
            "additionalProperties": false,
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
        assert_eq!(arguments().names(), ["size", "p", "range", "how"]);
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
            (json!({ "size": 1, "how": "c" }), "how: \"c\" is not one of \"a\" or \"b\""),
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
    fn a_schema_that_is_none_is_refused() {
        for bad in ["", "{", "3", r#"{ "type": "nothing" }"#, r#"{ "$ref": "http://localhost:1/x" }"#] {
            assert!(Arguments::new(bad).is_err(), "{bad}");
        }
    }
}
