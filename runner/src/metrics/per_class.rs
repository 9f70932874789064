//! Precision, recall and F1 of each class.

use super::Confusion;
use serde::Serialize;

/// How well one class is told from the rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassScore {
    /// Share of what is taken for the class that is of it; 0 where nothing is.
    pub precision: f64,
    /// Share of the class's samples that is taken for it; 0 where it has none.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Samples of the class.
    pub support: usize,
}

/// The scores of each class.
pub fn scores(confusion: &Confusion) -> Vec<ClassScore> {
    (0..confusion.classes())
        .map(|class| {
            let hit = confusion.count(class, class);
            let (predicted, support) = (confusion.predicted(class), confusion.support(class));
            ClassScore {
                precision: share(hit, predicted),
                recall: share(hit, support),
                f1: share(2 * hit, predicted + support),
                support,
            }
        })
        .collect()
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
