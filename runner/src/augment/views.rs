//! `augmentation.test`.

use super::Augment;
use super::entries::check_some;
use crate::random::{Key, Purpose};
use crate::spec::{Path, Problems, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Looks at an image several times when it is tested, and takes the mean of the probabilities
/// (Krizhevsky et al. 2012). The first view is the image as it is.
///
/// `test: { views: 2, do: [horizontal_flip: 1.0] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Views {
    /// How many views there are of an image, that of the image as it is included. Testing takes as many
    /// times as long.
    pub views: usize,
    /// What makes the other views: entries as in `train`, applied in order to each. They are drawn
    /// by (seed, image, view), so a run is tested alike each time. To entries of `epochs` all epochs
    /// are over.
    #[serde(rename = "do")]
    pub entries: Vec<Augment>,
}

impl Views {
    /// The epoch that entries are told: after all.
    pub const EPOCH: u64 = u64::MAX;

    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        check::range(problems, at.key("views"), &self.views, 2..=1000, "the number of views");
        check_some(&self.entries, &at.key("do"), problems);
    }

    /// What a view of a sample draws from.
    pub fn key(seed: u64, sample: u64, view: usize) -> Key {
        Key::new(seed, Purpose::View).with(sample).with(view as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_something_to_look_at_anew() {
        let problems = |yaml: &str| -> Vec<String> {
            let value: serde_json::Value = serde_yaml::from_str(yaml).unwrap();
            let views: Views = serde_json::from_value(value).unwrap();
            let mut problems = Problems::default();
            views.check(&Path::of("test"), &mut problems);
            problems.0.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
        };
        assert_eq!(problems("{ views: 2, do: [{ horizontal_flip: 1.0 }] }"), Vec::<String>::new());
        assert_eq!(
            problems("{ views: 1, do: [] }"),
            [
                "test.views: the number of views must be at least 2 and at most 1000, found 1",
                "test.do: there is nothing to do"
            ]
        );
    }
}
