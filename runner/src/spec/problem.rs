//! What is wrong with a spec, and where.

use super::Path;

/// One thing that is wrong with a spec. The source map turns its path into file, line and column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// Where in the spec.
    pub path: Path,
    /// Whether the key itself is meant, rather than its value.
    pub at_key: bool,
    /// What is wrong.
    pub message: String,
    /// What to do about it: the nearest name, what was expected.
    pub help: Option<String>,
}

impl Problem {
    /// A problem with the value at `path`.
    pub fn new(path: Path, message: impl Into<String>) -> Self {
        Problem { path, at_key: false, message: message.into(), help: None }
    }

    /// Points at the key rather than at its value.
    #[must_use]
    pub fn at_key(mut self) -> Self {
        self.at_key = true;
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds 'did you mean' where one of `names` is near to what was written, else the list of them.
    #[must_use]
    pub fn suggest<'a>(self, written: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.into_iter().collect();
        match nearest(written, names.iter().copied()) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None if names.is_empty() => self,
            None => self.help(format!(
                "expected one of {}",
                names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )),
        }
    }
}

/// What others call things, and what they are called here.
const SYNONYMS: [(&str, &str); 5] = [
    ("batch_size", "batch"),
    ("learning_rate", "lr"),
    ("model", "backbone"),
    ("num_workers", "workers"),
    ("transforms", "augmentation"),
];

/// The one of `names` that was probably meant by `written`, if any is near enough.
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let names: Vec<&str> = names.into_iter().collect();
    let synonym = SYNONYMS.iter().find(|(theirs, _)| *theirs == written).map(|(_, ours)| *ours);
    if let Some(name) = names.iter().find(|name| Some(**name) == synonym) {
        return Some(name);
    }
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .filter(|(distance, name)| *distance <= written.chars().count().max(name.chars().count()) / 3)
        .min()
        .map(|(_, name)| name)
}

/// All that is wrong with a spec; never empty when it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Notes one more.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// `value` if nothing was noted.
    pub fn or<T>(self, value: T) -> Result<T, Problems> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Problems(vec![problem])
    }
}
