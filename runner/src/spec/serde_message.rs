//! serde's messages in words for people. The only place that knows how serde words them.

use super::path::Segment;
use super::{Path, Problem, expected};
use serde_yaml::Value;

/// What parts advice from the message in errors of our own `Deserialize`s.
pub const HELP: &str = "\nhelp: ";

/// Where the number of channels is said.
const CHANNELS: &str = "the number of channels is `data.image.channels`; `backbone: { input: { adapt: sum } }` says how \
                        pretrained weights are fitted to it";

/// What serde complains about, read from its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// A key, variant or name that does not exist.
    Unknown {
        /// What it was to be: "field", "variant", "layer".
        what: String,
        /// As it was written.
        written: String,
        /// The names there are.
        names: Vec<String>,
    },
    /// A key that must be there is not.
    Missing {
        /// The key.
        field: String,
    },
    /// A value of another kind, or out of range.
    Unfit {
        /// What was expected, in serde's words.
        expected: String,
    },
    /// A list of another length.
    Length {
        /// How many there are.
        length: String,
        /// What was expected, in serde's words.
        expected: String,
    },
    /// Anything else: our own messages.
    Other,
}

impl Complaint {
    /// Reads a message of serde's.
    pub fn read(message: &str) -> Self {
        Self::unknown(message)
            .or_else(|| Self::missing(message))
            .or_else(|| Self::unfit(message))
            .or_else(|| Self::length(message))
            .unwrap_or(Complaint::Other)
    }

    fn unknown(message: &str) -> Option<Self> {
        let (what, rest) = message.strip_prefix("unknown ")?.split_once(" `")?;
        // What was written may hold backticks itself, so look for what serde puts after it.
        let (written, tail) = ["`, expected ", "`, there are no ", "`: expected "].iter().find_map(|mark| {
            rest.split_once(mark).map(|(written, tail)| (written, if mark.contains("no") { "" } else { tail }))
        })?;
        let names = tail.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some(Complaint::Unknown { what: what.to_owned(), written: written.to_owned(), names })
    }

    fn missing(message: &str) -> Option<Self> {
        let field = message.strip_prefix("missing field `")?.strip_suffix('`')?;
        Some(Complaint::Missing { field: field.to_owned() })
    }

    fn unfit(message: &str) -> Option<Self> {
        let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
        let (_, expected) = rest.rsplit_once(", expected ")?;
        Some(Complaint::Unfit { expected: expected.to_owned() })
    }

    fn length(message: &str) -> Option<Self> {
        let (length, expected) = message.strip_prefix("invalid length ")?.split_once(", expected ")?;
        Some(Complaint::Length { length: length.to_owned(), expected: expected.to_owned() })
    }
}

/// The problem that a complaint at `path` means; `root` is the whole spec.
pub fn problem(path: &Path, message: &str, complaint: &Complaint, root: &Value) -> Problem {
    let value = lookup(root, path);
    match complaint {
        Complaint::Unknown { what, written, names } => unknown(path, value, what, written, names),
        Complaint::Missing { field } => missing(path, value, field),
        Complaint::Unfit { expected } => unfit(path, value, expected),
        Complaint::Length { length, expected } => wrong_length(path, length, expected),
        Complaint::Other => our_own(path, message),
    }
}

/// A message of a `Deserialize` of our own. It may end with advice, after [`HELP`].
fn our_own(path: &Path, message: &str) -> Problem {
    let (message, help) = message.split_once(HELP).map_or((message, None), |(message, help)| (message, Some(help)));
    let problem = Problem::new(path.clone(), message);
    let problem = if message.starts_with("one ") { problem.at_key() } else { problem };
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// A user's text in backticks, shortened where it is long.
pub fn quote(text: &str) -> String {
    const MAX: usize = 60;
    let mut short: String = text.chars().take(MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}

/// The problem that there is nothing of the name `written`, as serde would word it.
pub fn unknown_name(path: &Path, root: &Value, what: &str, written: &str, names: &[&str]) -> Problem {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    unknown(path, lookup(root, path), what, written, &names)
}

fn unknown(path: &Path, value: Option<&Value>, what: &str, written: &str, names: &[String]) -> Problem {
    let is_key = matches!(path.0.last(), Some(Segment::Key(key)) if key == written)
        && value.and_then(Value::as_str) != Some(written);
    let what = match what {
        "field" => "key",
        "variant" => noun(if is_key { path.parent() } else { Some(path.clone()) }.as_ref()),
        other => other,
    };
    let problem = Problem::new(path.clone(), format!("unknown {what} {}", quote(written)));
    let problem = if is_key { problem.at_key() } else { problem };
    match (what, written) {
        ("device", "gpu") => problem.help("an NVIDIA GPU is `cuda`, or `cuda:1` for the second one"),
        ("key", "input") if path.0.len() == 1 => problem.help(CHANNELS),
        ("key", "channels") if *path == Path::of("backbone.input.channels") => problem.help(CHANNELS),
        ("source", _) if !is_key => {
            let kinds = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            problem.help(format!("say of what kind it is, as in `{{ dataset: NAME }}`; the kinds are {kinds}"))
        }
        _ if names.is_empty() => problem.help("nothing can be set here"),
        _ => problem.suggest(written, names.iter().map(String::as_str)),
    }
}

/// What a value at a path is called.
fn noun(path: Option<&Path>) -> &'static str {
    match path.and_then(last_key) {
        Some("arch") => "architecture",
        Some("source" | "fallback") => "source",
        Some("metric") => "metric",
        Some("batch_norm") => "batch norm mode",
        _ => "value",
    }
}

fn missing(path: &Path, value: Option<&Value>, field: &str) -> Problem {
    let whole = match path.0.as_slice() {
        [] => "a spec".to_owned(),
        [.., Segment::Key(key)] => quote(key),
        [.., Segment::Key(list), Segment::Index(_)] => format!("each entry of `{list}`"),
        _ => "this entry".to_owned(),
    };
    let all = expected::required(path);
    let mut missing: Vec<&str> =
        all.iter().map(String::as_str).filter(|key| value.is_some_and(|value| value.get(*key).is_none())).collect();
    if !missing.contains(&field) {
        missing = vec![field];
    }
    let missing: Vec<String> = missing.iter().map(|key| format!("`{key}`")).collect();
    Problem::new(path.clone(), format!("{whole} needs {}", enumerate(&missing)))
}

/// "a", "a and b", "a, b and c".
fn enumerate(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn wrong_length(path: &Path, length: &str, expected: &str) -> Problem {
    let expected = match expected {
        "fewer elements in sequence" => "fewer".to_owned(),
        other => kind(other, None),
    };
    Problem::new(path.clone(), format!("expected {expected}, found {length} entries"))
}

fn unfit(path: &Path, value: Option<&Value>, expected: &str) -> Problem {
    let name = last_key(path).unwrap_or("this");
    if expected.ends_with(" variant") {
        let problem = match value {
            Some(Value::String(written)) => format!("{} needs a value: `{written}: ...`", quote(written)),
            _ => format!("{} takes no value", quote(name)),
        };
        return Problem::new(path.clone(), problem);
    }
    if expected.starts_with("enum ") {
        let words = expected::words(path);
        let found = value.map_or_else(|| "nothing".to_owned(), found);
        let problem = Problem::new(path.clone(), format!("expected a word, found {found}"));
        return problem.suggest("", words.iter().map(String::as_str));
    }
    let kind = kind(expected, value);
    match value {
        None | Some(Value::Null) => {
            let problem = Problem::new(path.clone(), format!("{} has no value: expected {kind}", quote(name)));
            problem.help("give it a value, or remove the key")
        }
        Some(value) => {
            let problem = Problem::new(path.clone(), format!("expected {kind}, found {}", found(value)));
            match advice(&kind, value) {
                Some(help) => problem.help(help),
                None => problem,
            }
        }
    }
}

/// What serde expected, in the words of a spec.
fn kind(expected: &str, value: Option<&Value>) -> String {
    match expected {
        "usize" | "u64" | "u32" | "u16" | "u8" => match value.and_then(Value::as_f64) {
            Some(number) if number < 0.0 => "a whole number, 0 or more".to_owned(),
            _ => "a whole number".to_owned(),
        },
        "isize" | "i64" | "i32" => "a whole number".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" | "path string" | "str" => "a string".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "keys with values".to_owned(),
        _ if expected.starts_with("struct ") => "keys with values".to_owned(),
        _ => match expected.strip_prefix("an array of length ") {
            Some(length) => format!("a list of {length}"),
            None => expected.to_owned(),
        },
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number `{number}`"),
        Value::String(text) => format!("the string {}", quote(text)),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "keys with values".to_owned(),
        Value::Tagged(_) => "a tagged value".to_owned(),
    }
}

/// What to do about a common mistake.
fn advice(kind: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) if kind.contains("number") => {
            let number: serde_yaml::Number = text.trim().parse().ok()?;
            Some(format!("write it without quotes: `{number}`"))
        }
        Value::String(text) if kind.starts_with("`true`") => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" => Some("write `true`".to_owned()),
            "no" | "off" | "n" => Some("write `false`".to_owned()),
            _ => None,
        },
        Value::Number(_) | Value::Bool(_) if kind == "a string" => {
            let text = serde_yaml::to_string(value).ok()?;
            Some(format!("put it in quotes: `\"{}\"`", text.trim()))
        }
        Value::String(_) | Value::Number(_) if kind == "a list" => {
            let text = serde_yaml::to_string(value).ok()?;
            (text.len() < 60).then(|| format!("put it in brackets: `[{}]`", text.trim()))
        }
        Value::Mapping(_) if kind == "a list" => Some("begin each entry with `- `".to_owned()),
        Value::Sequence(_) if kind == "keys with values" => {
            Some("write keys without `- ` before them, one a line".to_owned())
        }
        _ => None,
    }
}

fn last_key(path: &Path) -> Option<&str> {
    path.0.iter().rev().find_map(|segment| match segment {
        Segment::Key(key) => Some(key.as_str()),
        Segment::Index(_) => None,
    })
}

/// The value at a path.
pub fn lookup<'a>(root: &'a Value, path: &Path) -> Option<&'a Value> {
    path.0.iter().try_fold(root, |value, segment| match segment {
        Segment::Key(key) => value.get(key.as_str()),
        Segment::Index(index) => value.get(*index),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Strict {
        count: usize,
        #[serde(default)]
        pair: [f64; 2],
        #[serde(default)]
        word: Word,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        #[default]
        One,
        Two,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    fn complaint<T: DeserializeOwned + std::fmt::Debug>(yaml: &str) -> Complaint {
        let value: Value = serde_yaml::from_str(yaml).unwrap();
        Complaint::read(&serde_yaml::from_value::<T>(value).unwrap_err().to_string())
    }

    fn unknown(what: &str, written: &str, names: &[&str]) -> Complaint {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Complaint::Unknown { what: what.to_owned(), written: written.to_owned(), names }
    }

    /// serde words its messages; this fails where a new version words them otherwise.
    #[test]
    fn serdes_own_messages_are_understood() {
        assert_eq!(complaint::<Strict>("{ count: 1, x: 2 }"), unknown("field", "x", &["count", "pair", "word"]));
        assert_eq!(
            complaint::<Strict>("{ count: 1, \"`, expected\": 2 }"),
            unknown("field", "`, expected", &["count", "pair", "word"])
        );
        assert_eq!(complaint::<Nothing>("{ x: 2 }"), unknown("field", "x", &[]));
        assert_eq!(complaint::<Word>("three"), unknown("variant", "three", &["one", "two"]));
        assert_eq!(complaint::<Strict>("{ pair: [1, 2] }"), Complaint::Missing { field: "count".to_owned() });
        let unfit = |expected: &str| Complaint::Unfit { expected: expected.to_owned() };
        assert_eq!(complaint::<Strict>("{ count: \", expected \" }"), unfit("usize"));
        assert_eq!(complaint::<Strict>("{ count: -1 }"), unfit("usize"));
        assert_eq!(complaint::<Strict>("[]"), unfit("struct Strict"));
        let length = |length: &str, expected: &str| Complaint::Length {
            length: length.to_owned(),
            expected: expected.to_owned(),
        };
        assert_eq!(complaint::<Strict>("{ pair: [1] }"), length("1", "an array of length 2"));
        assert_eq!(complaint::<Strict>("{ pair: [1, 2, 3] }"), length("3", "fewer elements in sequence"));
        assert_eq!(Complaint::read("the moon is full"), Complaint::Other);
        assert_eq!(Complaint::read("unknown device `x`: expected `cpu`"), unknown("device", "x", &["cpu"]));
    }

    #[test]
    fn advice_is_given_where_the_mistake_is_a_common_one() {
        let text = |text: &str| Value::from(text);
        assert_eq!(advice("a number", &text("1e-3")).as_deref(), Some("write it without quotes: `0.001`"));
        assert_eq!(advice("a number", &text("fast")), None);
        assert_eq!(advice("a list", &text("head")).as_deref(), Some("put it in brackets: `[head]`"));
        assert_eq!(advice("a list", &text("*")).as_deref(), Some("put it in brackets: `['*']`"));
        assert_eq!(advice("a string", &Value::from(7)).as_deref(), Some("put it in quotes: `\"7\"`"));
        assert_eq!(advice("`true` or `false`", &text("Yes")).as_deref(), Some("write `true`"));
        assert_eq!(
            advice("a list", &Value::Mapping(serde_yaml::Mapping::new())).as_deref(),
            Some("begin each entry with `- `")
        );
    }

    #[test]
    fn what_a_user_wrote_is_shown_in_part_where_it_is_long() {
        assert_eq!(quote("a\nb"), "`a b`");
        assert_eq!(quote(&"x".repeat(1000)).chars().count(), 63);
    }
}
