//! A place in a spec: `schedule.phases.0.epochs`.

use std::fmt;

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// A key of a map.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

/// A place in a spec.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Path(pub Vec<Segment>);

impl Path {
    /// The place under the given keys; a key that is a number is a place in a list.
    pub fn of(dotted: &str) -> Self {
        Path(
            dotted
                .split('.')
                .filter(|part| !part.is_empty())
                .map(|part| part.parse().map_or_else(|_| Segment::Key(part.to_owned()), Segment::Index))
                .collect(),
        )
    }

    /// One key deeper.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.deeper(Segment::Key(key.into()))
    }

    /// One list place deeper.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.deeper(Segment::Index(index))
    }

    fn deeper(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Path(segments)
    }

    /// One step out; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        let (_, outer) = self.0.split_last()?;
        Some(Path(outer.to_vec()))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            match segment {
                Segment::Key(key) => f.write_str(key)?,
                Segment::Index(index) => write!(f, "{index}")?,
            }
        }
        Ok(())
    }
}
