//! What lies beyond the border of an image.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What lies beyond the border of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Border {
    /// Black.
    #[default]
    Black,
    /// The image mirrored, without repeating its outermost pixels.
    Reflect,
    /// Its outermost pixels repeated.
    Edge,
}

impl Border {
    /// The place within `0..len` whose value stands at `at`; `None` is black.
    pub fn place(self, at: isize, len: usize) -> Option<usize> {
        if let Ok(inside) = usize::try_from(at)
            && inside < len
        {
            return Some(inside);
        }
        match self {
            Border::Black => None,
            Border::Edge => Some((at.max(0) as usize).min(len.saturating_sub(1))),
            Border::Reflect => {
                let period = (2 * len).saturating_sub(2).max(1);
                let folded = at.rem_euclid(period as isize) as usize;
                Some(folded.min(period - folded).min(len.saturating_sub(1)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_border_has_its_places() {
        let places: Vec<_> = (-4..8).map(|at| Border::Reflect.place(at, 4)).collect();
        assert_eq!(places, [2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1].map(Some));
        assert_eq!(Border::Reflect.place(-7, 1), Some(0));
        assert_eq!([-3, 1, 9].map(|at| Border::Edge.place(at, 4)), [0, 1, 3].map(Some));
        assert_eq!(Border::Black.place(-1, 4), None);
        assert_eq!(Border::Black.place(4, 4), None);
    }
}
