//! What differs between two specs.

use super::Path;
use serde_yaml::Value;

/// A value that differs. `None` where a spec does not have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where.
    pub path: Path,
    /// The value in the first spec.
    pub old: Option<Value>,
    /// The value in the second spec.
    pub new: Option<Value>,
}

/// What differs between two specs, in the order of the first; the order of keys does not count.
pub fn diff(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&Path::default(), Some(old), Some(new), &mut changes);
    changes
}

fn compare(path: &Path, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<Change>) {
    match (old, new) {
        (Some(Value::Mapping(a)), Some(Value::Mapping(b))) => {
            let added = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(added) {
                compare(&path.key(name(key)), a.get(key), b.get(key), changes);
            }
        }
        (Some(Value::Sequence(a)), Some(Value::Sequence(b))) => {
            for i in 0..a.len().max(b.len()) {
                compare(&path.index(i), a.get(i), b.get(i), changes);
            }
        }
        _ if old == new => {}
        _ => changes.push(Change { path: path.clone(), old: old.cloned(), new: new.cloned() }),
    }
}

fn name(key: &Value) -> String {
    match key {
        Value::String(key) => key.clone(),
        other => serde_yaml::to_string(other).unwrap_or_default().trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(old: &str, new: &str) -> Vec<(String, Option<Value>, Option<Value>)> {
        let read = |text| serde_yaml::from_str::<Value>(text).unwrap();
        let changes = diff(&read(old), &read(new));
        changes.into_iter().map(|change| (change.path.to_string(), change.old, change.new)).collect()
    }

    #[test]
    fn changed_added_and_removed_values_are_listed_by_path() {
        let (one, two) = (Some(Value::from(1)), Some(Value::from(2)));
        assert_eq!(changes("{a: {b: 1}, c: 1}", "{c: 1, a: {b: 1}}"), []);
        assert_eq!(changes("{a: {b: 1}}", "{a: {b: 2}}"), [("a.b".to_owned(), one.clone(), two.clone())]);
        assert_eq!(
            changes("{a: [1, 1], b: 1}", "{a: [1], c: 2}"),
            [("a.1".to_owned(), one.clone(), None), ("b".to_owned(), one, None), ("c".to_owned(), None, two)]
        );
        assert_eq!(changes("{a: 1}", "{a: [1]}").len(), 1, "another kind is one change");
    }
}
