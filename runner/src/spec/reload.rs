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
        let of_field = || {
            let values = change.old.iter().chain(&change.new);
            values.map(|value| class_of_value(&change.path, value)).max().unwrap_or_else(|| class_of(&change.path))
        };
        match &change.entry {
            Some(phase) if PHASES.covers(&change.path) => {
                if self.is_done(phase) {
                    Class::Past
                } else if self.runs(phase) && change.path.0.len() > PHASES.depth() {
                    of_field()
                } else {
                    Class::NextPhase
                }
            }
            _ => of_field(),
        }
    }
}

/// When a change of the field at this path takes effect; of a field of a phase, if that phase runs. A
/// path to several fields has the greatest of their classes, and one that no spec has cannot be changed
/// while a run goes on.
pub fn class_of(path: &Path) -> Class {
    let around = FIELDS.iter().filter(|(field, _)| field.covers(path)).max_by_key(|(field, _)| field.depth());
    let within = || FIELDS.iter().filter(|(field, _)| field.is_within(path)).map(|(_, class)| *class).max();
    around.map(|(_, class)| *class).or_else(within).unwrap_or(Class::Restart)
}

/// The fields of the table, with their classes.
static FIELDS: LazyLock<Vec<(Pattern<String>, Class)>> = LazyLock::new(|| {
    let fields = table::ROWS.iter().flat_map(|row| row.fields().map(|field| (Pattern(field), row.class)));
    fields.collect()
});

/// As [`class_of`], for a value that comes or goes as a whole: what is in it counts too.
fn class_of_value(path: &Path, value: &Value) -> Class {
    let Value::Mapping(map) = value else { return class_of(path) };
    if !FIELDS.iter().any(|(field, _)| field.is_within(path)) {
        return class_of(path);
    }
    let keys = map.iter().filter_map(|(key, value)| Some((key.as_str()?, value)));
    keys.map(|(key, value)| class_of_value(&path.key(key), value)).fold(class_of(path), Class::max)
}

/// The phases that are written out.
const PHASES: Pattern<&str> = Pattern("schedule.phases.*");

/// Keys, `*` being any.
struct Pattern<T>(T);

impl<T: AsRef<str>> Pattern<T> {
    fn depth(&self) -> usize {
        self.0.as_ref().split('.').count()
    }

    /// Whether it is the path's, or that of something around it.
    fn covers(&self, path: &Path) -> bool {
        self.depth() <= path.0.len() && self.goes_along(path)
    }

    /// Whether the path is that of something around it.
    fn is_within(&self, path: &Path) -> bool {
        self.depth() > path.0.len() && self.goes_along(path)
    }

    fn goes_along(&self, path: &Path) -> bool {
        let steps = self.0.as_ref().split('.').zip(&path.0);
        steps.into_iter().all(|(step, segment)| match segment {
            Segment::Key(key) => step == "*" || step == key,
            Segment::Index(_) => step == "*",
        })
    }
}
