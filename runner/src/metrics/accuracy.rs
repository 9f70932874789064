//! Accuracy.

use super::Confusion;

/// The share of samples taken for their own class; 0 where there are none.
pub fn accuracy(confusion: &Confusion) -> f64 {
    let right: usize = (0..confusion.classes()).map(|class| confusion.count(class, class)).sum();
    match confusion.total() {
        0 => 0.0,
        total => right as f64 / total as f64,
    }
}
