//! The confusion matrix.

use super::Answers;
use serde::Serialize;

/// How often samples of one class were taken for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Rows are true classes, columns the classes they were taken for.
    rows: Vec<Vec<usize>>,
}

impl Confusion {
    /// Counts these answers.
    pub fn of(answers: &Answers) -> Self {
        let mut rows = vec![vec![0; answers.classes]; answers.classes];
        for (&label, predicted) in answers.labels.iter().zip(answers.predicted()) {
            rows[label][predicted] += 1;
        }
        Confusion { rows }
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.rows.len()
    }

    /// How many samples of the class `truth` were taken for `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        self.rows[truth][predicted]
    }

    /// How many samples of the class there are.
    pub fn support(&self, truth: usize) -> usize {
        self.rows[truth].iter().sum()
    }

    /// How many samples were taken for the class.
    pub fn predicted(&self, class: usize) -> usize {
        self.rows.iter().map(|row| row[class]).sum()
    }

    /// How many samples there are.
    pub fn total(&self) -> usize {
        self.rows.iter().flatten().sum()
    }
}
