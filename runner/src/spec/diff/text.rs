//! Changes as a person reads them.

use super::{Change, ChangeKind};
use serde_yaml::{Number, Value};

/// The most characters of a value that are shown.
const WIDTH: usize = 48;

/// A line a change, what became of them in one column:
///
/// ```text
/// schedule.phases.top.lr.layer4   1e-4 → 3e-4
/// head.1                          added { dropout: 0.2 }
/// ```
pub fn text(changes: &[Change]) -> String {
    let width = changes.iter().map(|change| change.place.chars().count()).max().unwrap_or_default();
    let lines = changes.iter().map(|change| format!("{:width$}   {}", change.place, change.became()));
    lines.collect::<Vec<_>>().join("\n")
}

impl Change {
    /// What became of the value: `1e-4 → 3e-4`, `added { dropout: 0.2 }`.
    pub fn became(&self) -> String {
        let show = |value: &Option<Value>| cut(&value.as_ref().map(shown).unwrap_or_default());
        let (old, new) = (show(&self.old), show(&self.new));
        match self.kind {
            ChangeKind::Changed => format!("{old} → {new}"),
            ChangeKind::Added => format!("added {new}"),
            ChangeKind::Removed => format!("removed {old}"),
            // Others may have gone around it.
            ChangeKind::Moved if old == new => "moved".to_owned(),
            ChangeKind::Moved => format!("moved from place {old} to {new}"),
        }
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// A value in one line of YAML.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => number(value),
        Value::String(text) if is_plain(text) => text.clone(),
        // As Rust escapes it, so that nothing in it can move the cursor.
        Value::String(text) => format!("{text:?}"),
        Value::Sequence(list) => format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Mapping(map) if map.is_empty() => "{}".to_owned(),
        Value::Mapping(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", shown(key), shown(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Tagged(tagged) => shown(&tagged.value),
    }
}

/// All digits that a number has, in the form that people write: `0.05`, `3e-4`.
fn number(number: &Number) -> String {
    let Some(value) = number.as_f64().filter(|value| number.is_f64() && value.is_finite()) else {
        return number.to_string();
    };
    let (decimal, exponent) = (format!("{value}"), format!("{value:e}"));
    let is_common = value == 0.0 || (0.01..1e6).contains(&value.abs());
    if is_common || decimal.len() <= exponent.len() { decimal } else { exponent }
}

/// Whether YAML takes the text for itself without quotes.
fn is_plain(text: &str) -> bool {
    let mut characters = text.chars();
    characters.all(|character| character.is_alphanumeric() || "_-./+ ".contains(character))
        && serde_yaml::from_str::<Value>(text).is_ok_and(|value| value.as_str() == Some(text))
}
