//! What differs between two specs.

mod align;
#[cfg(test)]
mod tests;
mod text;

pub use text::text;

use super::Path;
use align::{Pair, align, in_order};
use serde_yaml::{Mapping, Value};

/// A difference between two specs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where in the second spec; where it was in the first, if the second lacks it.
    pub path: Path,
    /// The same for a person: entries that have a name are called by it.
    pub place: String,
    /// The name of the entry that it is or lies in, in a list whose entries have names: a phase.
    pub entry: Option<String>,
    /// What became of it.
    pub kind: ChangeKind,
    /// The value in the first spec, if it has it. Of what moved, its place in its list, counted from 1.
    pub old: Option<Value>,
    /// The same of the second spec.
    pub new: Option<Value>,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is another one.
    Changed,
    /// The first spec lacks it.
    Added,
    /// The second spec lacks it.
    Removed,
    /// It stands elsewhere among the entries of its list that both have. What it holds may differ as
    /// well: that is a change of its own.
    Moved,
}

/// What differs between two specs, in the order of the second but for what it lacks. The order of keys
/// does not count.
///
/// Lists whose entries all have a `name` are compared by name. Of other lists, entries that are the same
/// in both are found first, so that one put in between is one change.
pub fn diff(old: &Value, new: &Value) -> Vec<Change> {
    let mut comparison = Comparison::default();
    comparison.values(&Place::default(), old, new);
    comparison.changes
}

/// A place in both specs.
#[derive(Clone, Default)]
struct Place {
    old: Path,
    new: Path,
    shown: String,
    entry: Option<String>,
}

impl Place {
    fn key(&self, key: &str) -> Place {
        Place { old: self.old.key(key), new: self.new.key(key), ..self.showing(key) }
    }

    /// An entry of a list. Where a spec lacks it, its place there has no meaning.
    fn entry(&self, old: usize, new: usize, shown: &str) -> Place {
        Place { old: self.old.index(old), new: self.new.index(new), ..self.showing(shown) }
    }

    fn named(&self, old: usize, new: usize, name: &str) -> Place {
        let entry = self.entry.clone().or_else(|| Some(name.to_owned()));
        Place { entry, ..self.entry(old, new, name) }
    }

    fn showing(&self, step: &str) -> Place {
        let shown = if self.shown.is_empty() { step.to_owned() } else { format!("{}.{step}", self.shown) };
        Place { shown, ..self.clone() }
    }
}

#[derive(Default)]
struct Comparison {
    changes: Vec<Change>,
}

impl Comparison {
    fn note(&mut self, place: &Place, kind: ChangeKind, old: Option<Value>, new: Option<Value>) {
        let path = if kind == ChangeKind::Removed { place.old.clone() } else { place.new.clone() };
        let (place, entry) = (place.shown.clone(), place.entry.clone());
        self.changes.push(Change { path, place, entry, kind, old, new });
    }

    fn added(&mut self, place: &Place, new: &Value) {
        self.note(place, ChangeKind::Added, None, Some(new.clone()));
    }

    fn removed(&mut self, place: &Place, old: &Value) {
        self.note(place, ChangeKind::Removed, Some(old.clone()), None);
    }

    fn values(&mut self, place: &Place, old: &Value, new: &Value) {
        match (old, new) {
            (Value::Mapping(old), Value::Mapping(new)) if place.new.0.is_empty() || are_alike(old, new) => {
                self.maps(place, old, new);
            }
            (Value::Sequence(old), Value::Sequence(new)) => match (names(old), names(new)) {
                (Some(old_names), Some(new_names)) => self.named_lists(place, (old, &old_names), (new, &new_names)),
                _ => self.lists(place, old, new),
            },
            _ if old == new => {}
            _ => self.note(place, ChangeKind::Changed, Some(old.clone()), Some(new.clone())),
        }
    }

    fn maps(&mut self, place: &Place, old: &Mapping, new: &Mapping) {
        for (key, old) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
            self.removed(&place.key(&key_text(key)), old);
        }
        for (key, new) in new {
            let place = place.key(&key_text(key));
            match old.get(key) {
                Some(old) => self.values(&place, old, new),
                None => self.added(&place, new),
            }
        }
    }

    fn lists(&mut self, place: &Place, old: &[Value], new: &[Value]) {
        for pair in align(old, new) {
            match pair {
                Pair::Both(i, j) => self.values(&place.entry(i, j, &j.to_string()), &old[i], &new[j]),
                Pair::Old(i) => self.removed(&place.entry(i, i, &i.to_string()), &old[i]),
                Pair::New(j) => self.added(&place.entry(j, j, &j.to_string()), &new[j]),
            }
        }
    }

    fn named_lists(&mut self, place: &Place, old: (&[Value], &[&str]), new: (&[Value], &[&str])) {
        for (i, name) in old.1.iter().enumerate().filter(|(_, name)| !new.1.contains(name)) {
            self.removed(&place.named(i, i, name), &old.0[i]);
        }
        let before = |name: &&str| old.1.iter().position(|other| other == name);
        let kept: Vec<usize> = new.1.iter().filter_map(before).collect();
        let mut in_order = in_order(&kept).into_iter();
        for (j, name) in new.1.iter().enumerate() {
            let Some(i) = before(name) else {
                self.added(&place.named(j, j, name), &new.0[j]);
                continue;
            };
            let place = place.named(i, j, name);
            if in_order.next() == Some(false) {
                let from_one = |place: usize| Some(Value::from(place + 1));
                self.note(&place, ChangeKind::Moved, from_one(i), from_one(j));
            }
            self.values(&place, &old.0[i], &new.0[j]);
        }
    }
}

/// Whether two maps are the same thing with other values, rather than two things: `{ adamw: ... }` and
/// `{ sgd: ... }` have no key in common.
fn are_alike(old: &Mapping, new: &Mapping) -> bool {
    old.is_empty() || new.is_empty() || old.keys().any(|key| new.contains_key(key))
}

/// The names of the entries of a list, if each has one of its own.
fn names(list: &[Value]) -> Option<Vec<&str>> {
    let names: Vec<&str> = list.iter().map(|entry| entry.get("name")?.as_str()).collect::<Option<_>>()?;
    let distinct: std::collections::HashSet<&&str> = names.iter().collect();
    (distinct.len() == names.len()).then_some(names)
}

fn key_text(key: &Value) -> String {
    match key {
        Value::String(key) => key.clone(),
        other => serde_yaml::to_string(other).unwrap_or_default().trim_end().to_owned(),
    }
}
