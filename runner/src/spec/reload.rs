//! When a change of the spec takes effect in a run that is under way.

mod page;
mod table;
#[cfg(test)]
mod tests;

pub use page::page;

use super::path::Segment;
use super::{Change, Path};
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// When a change takes effect. A reload that changes several things has the greatest of their classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Never: it is of a phase that is done.
    Past,
    /// At the next step.
    Now,
    /// When the next epoch begins.
    NextEpoch,
    /// When a phase begins or ends.
    NextPhase,
    /// When the next epoch begins, in a net that is built anew.
    Rebuild,
    /// In another run only.
    Restart,
}

impl Class {
    /// All there are.
    pub const ALL: [Class; 6] =
        [Class::Past, Class::Now, Class::NextEpoch, Class::NextPhase, Class::Rebuild, Class::Restart];

    /// What it is called.
    pub fn words(self) -> &'static str {
        match self {
            Class::Past => "past",
            Class::Now => "now",
            Class::NextEpoch => "next epoch",
            Class::NextPhase => "next phase",
            Class::Rebuild => "rebuild",
            Class::Restart => "restart",
        }
    }

    /// What it means for a run.
    pub fn meaning(self) -> &'static str {
        match self {
            Class::Past => "It is of a phase that is done: taken up, and of no effect.",
            Class::Now => "It holds from the next step on.",
            Class::NextEpoch => "It holds from the next epoch on.",
            Class::NextPhase => {
                "It is about when phases begin and end: phases that have not begun may be added, taken out, \
                 reordered and changed; the one that runs may be lengthened, shortened and ended."
            }
            Class::Rebuild => {
                "The net is built anew when the next epoch begins. Every tensor whose name and shape are in both nets \
                 is kept with what the optimizer remembers of it; the others are named, and new ones initialised."
            }
            Class::Restart => {
                "It cannot be changed while the run goes on: the reload is refused, and says what to run instead."
            }
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// Which phases of a run are done, and which one runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// The names of those that are done, in order.
    pub done: Vec<String>,
    /// The one that runs; none while a head is fitted before the first.
    pub running: Option<RunningPhase>,
}

/// The phase that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningPhase {
    /// Its name.
    pub name: String,
    /// Its epochs that are done.
    pub epochs: usize,
}

impl UnderWay {
    /// Whether the phase of this name is done.
    pub fn is_done(&self, name: &str) -> bool {
        self.done.iter().any(|done| done == name)
    }

    /// Whether it is the one that runs.
    pub fn runs(&self, name: &str) -> bool {
        self.running.as_ref().is_some_and(|running| running.name == name)
    }

    /// When the change takes effect in this run.
    pub fn class_of(&self, change: &Change) -> Class {
        if let (Some(phase), Some(within)) = (&change.entry, within_phase(&change.path)) {
            if self.is_done(phase) {
                return Class::Past;
            }
            if !self.runs(phase) || within.is_empty() {
                return Class::NextPhase;
            }
        }
        let values = change.old.iter().chain(&change.new);
        values.map(|value| class_of_value(&change.path, value)).max().unwrap_or_else(|| class_of(&change.path))
    }
}

/// The rest of a path that leads to a phase that is written out, or into it.
fn within_phase(path: &Path) -> Option<&[Segment]> {
    match path.0.as_slice() {
        [Segment::Key(schedule), Segment::Key(phases), Segment::Index(_), rest @ ..]
            if schedule == "schedule" && phases == "phases" =>
        {
            Some(rest)
        }
        _ => None,
    }
}

/// When a change of the field at this path takes effect; of a field of a phase, if that phase runs. A
/// path to several fields has the greatest of their classes, and one that no spec has cannot be changed
/// while a run goes on.
pub fn class_of(path: &Path) -> Class {
    Found::at(path).class()
}

/// As [`class_of`], for a value that comes or goes as a whole: what is in it counts too.
fn class_of_value(path: &Path, value: &Value) -> Class {
    Found::at(path).class_with(value)
}

/// Where a path ends in the table.
#[derive(Clone, Copy)]
struct Found<'a> {
    /// The class of the field that it leads to or into.
    around: Option<Class>,
    /// What is known of the fields there; none within a field that is one whatever it holds.
    fields: Option<&'a Fields>,
}

impl<'a> Found<'a> {
    fn at(path: &Path) -> Found<'static> {
        path.0.iter().fold(Found { around: None, fields: Some(&FIELDS) }, |found, segment| match segment {
            Segment::Key(key) => found.step(key),
            Segment::Index(_) => found.step(ANY),
        })
    }

    fn step(self, key: &str) -> Found<'a> {
        let fields = self.fields.and_then(|fields| fields.within.get(key).or_else(|| fields.within.get(ANY)));
        Found { around: fields.and_then(|fields| fields.class).or(self.around), fields }
    }

    fn class(self) -> Class {
        self.around.or_else(|| self.fields?.greatest()).unwrap_or(Class::Restart)
    }

    fn class_with(self, value: &Value) -> Class {
        let Value::Mapping(map) = value else { return self.class() };
        if self.fields.is_none_or(|fields| fields.within.is_empty()) {
            return self.class();
        }
        let keys = map.iter().filter_map(|(key, value)| Some((key.as_str()?, value)));
        keys.map(|(key, value)| self.step(key).class_with(value)).fold(self.class(), Class::max)
    }
}

/// The key of any entry, in the table.
const ANY: &str = "*";

/// The fields of the table as a tree by their keys.
#[derive(Default)]
struct Fields {
    class: Option<Class>,
    within: BTreeMap<String, Fields>,
}

impl Fields {
    fn greatest(&self) -> Option<Class> {
        self.class.max(self.within.values().filter_map(Fields::greatest).max())
    }
}

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let mut all = Fields::default();
    for row in table::ROWS {
        for field in row.fields() {
            let place = field.split('.').fold(&mut all, |fields, key| fields.within.entry(key.to_owned()).or_default());
            place.class = Some(row.class);
        }
    }
    all
});
