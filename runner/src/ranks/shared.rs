//! A step that several ranks compute together.

use super::{RankFault, Ranks};
use std::ops::Range;

/// The ranks that compute a batch together, each a contiguous share of its rows.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a> {
    /// The ranks.
    pub ranks: &'a Ranks,
    /// Rows of the whole batch.
    pub rows: usize,
}

impl<'a> Shared<'a> {
    /// How a batch of so many rows is shared, where each rank computes its share in pieces of at most `piece` rows.
    /// `None` where each computes the whole batch: with no others, with fewer rows than ranks, or where the ranks
    /// would not have as many pieces each.
    pub fn of(ranks: &'a Ranks, rows: usize, piece: usize) -> Option<Self> {
        let (count, piece) = (ranks.count(), piece.max(1));
        let (fewest, most) = (rows / count, rows.div_ceil(count));
        let same = fewest.div_ceil(piece) == most.div_ceil(piece);
        (ranks.are_several() && fewest > 0 && same).then_some(Shared { ranks, rows })
    }

    /// The rows that this rank computes.
    pub fn own(&self) -> Range<usize> {
        self.ranks.part_of(self.rows)
    }

    /// A value summed over the ranks.
    pub fn total(&self, own: f64) -> Result<f64, RankFault> {
        let mut values = [own];
        self.ranks.sum(&mut values)?;
        Ok(values[0])
    }
}

#[cfg(test)]
mod tests {
    use super::super::threads;
    use super::*;

    #[test]
    fn what_cannot_be_shared_evenly_enough_is_computed_by_each() {
        assert!(Shared::of(&Ranks::alone(), 8, 4).is_none());
        let own = |rows, piece| {
            let shares = threads::run(2, |ranks| Shared::of(&ranks, rows, piece).map(|shared| shared.own()));
            (shares[0].clone(), shares[1].clone())
        };
        assert_eq!(own(8, usize::MAX), (Some(0..4), Some(4..8)));
        assert_eq!(own(7, usize::MAX), (Some(0..3), Some(3..7)));
        assert_eq!(own(1, usize::MAX), (None, None), "a row for two");
        assert_eq!(own(7, 3), (None, None), "a piece and two");
        assert_eq!(own(9, 3), (Some(0..4), Some(4..9)), "two pieces each");
    }
}
