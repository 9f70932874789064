//! What ranks tell each other.

use super::*;

#[test]
fn one_process_is_the_rank_0_of_1() {
    let ranks = Ranks::alone();
    assert_eq!((ranks.rank(), ranks.count(), ranks.is_first(), ranks.are_several()), (0, 1, true, false));
    assert_eq!(ranks.part_of(7), 0..7);
    let mut values = [1.0, 2.0];
    ranks.sum(&mut values).unwrap();
    assert_eq!(values, [1.0, 2.0]);
    assert_eq!((ranks.tell(|| 3), ranks.any(true), ranks.part()), (Ok(3), Ok(true), Ok(())));
}

#[test]
fn parts_are_contiguous_and_about_as_long() {
    for (count, things) in [(2, 7), (3, 3), (4, 18), (3, 2)] {
        let parts = threads::run(count, |ranks| ranks.part_of(things));
        let all: Vec<usize> = parts.iter().cloned().flatten().collect();
        assert_eq!(all, (0..things).collect::<Vec<_>>());
        let lengths = parts.iter().map(ExactSizeIterator::len);
        assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1);
    }
}

#[test]
fn what_is_brought_comes_in_the_order_of_the_ranks() {
    let gathered = threads::run(3, |ranks| ranks.gather(&vec![ranks.rank() as u8; ranks.rank()]).unwrap());
    assert!(gathered.iter().all(|all| *all == [vec![], vec![1], vec![2, 2]]));
    let told = threads::run(3, |ranks| ranks.tell(|| format!("of {}", ranks.rank())).unwrap());
    assert_eq!(told, ["of 0"; 3]);
    assert_eq!(threads::run(3, |ranks| ranks.any(ranks.rank() == 2).unwrap()), [true; 3]);
    assert_eq!(threads::run(3, |ranks| ranks.any(false).unwrap()), [false; 3]);
}

#[test]
fn sums_are_the_same_bits_on_all_ranks() {
    // More than a bucket, and no multiple of the ranks.
    let length = BUCKET + 5;
    let term = |rank: usize, place: usize| ((place % 1000) as f32).mul_add(0.1, rank as f32 * 1e-4);
    for count in [2, 3] {
        let sums = threads::run(count, |ranks| {
            let mut values: Vec<f32> = (0..length).map(|place| term(ranks.rank(), place)).collect();
            ranks.sum_many(&mut values).unwrap();
            let mut few = [f64::from(values[3]), 0.1];
            ranks.sum(&mut few).unwrap();
            (values, few)
        });
        assert!(sums.iter().all(|other| *other == sums[0]));
        for place in [0, 1, 999, length - 1] {
            let expected: f64 = (0..count).map(|rank| f64::from(term(rank, place))).sum();
            assert_eq!(sums[0].0[place], expected as f32);
        }
        assert!((sums[0].1[1] - 0.1 * count as f64).abs() < 1e-15);
    }
}

#[test]
fn all_stop_with_the_reason_of_the_one_that_failed() {
    let faults = threads::run(3, |ranks| {
        if ranks.rank() == 1 {
            ranks.fail("no such image");
            ranks.fail("and another thing");
        } else {
            let expected = "rank 1 of 3 (counted from 0) stopped: no such image";
            assert_eq!(ranks.sum_many(&mut [1.0]).unwrap_err().to_string(), expected);
            // Nobody comes any more, and nobody waits.
            assert_eq!(ranks.part().unwrap_err().to_string(), expected);
            ranks.fail("as they say");
        }
        ranks.fault().cloned()
    });
    assert!(faults.iter().all(|fault| *fault == faults[0]), "{faults:?}");
}

#[test]
fn one_that_is_done_hears_of_one_that_is_not() {
    let ends = threads::run(2, |ranks| {
        if ranks.is_first() {
            return ranks.part();
        }
        ranks.fail("no memory");
        Ok(())
    });
    assert!(matches!(&ends[0], Err(RankFault::Stopped { rank: 1, .. })), "{ends:?}");
}

#[test]
fn what_differs_is_told_on_every_rank() {
    let said = threads::run(3, |ranks| {
        let own = if ranks.rank() == 2 { "AVX2" } else { "AVX-512" };
        ranks.agree("what computes", own).unwrap_err().to_string()
    });
    assert_eq!(said, ["the ranks differ in what computes: rank 0 has AVX-512, rank 2 has AVX2"; 3]);
}

#[test]
fn ranks_at_other_places_stop() {
    let ends = threads::run(2, |ranks| if ranks.is_first() { ranks.part() } else { ranks.sum_many(&mut []) });
    assert!(ends.iter().all(|end| matches!(end, Err(RankFault::Message(_)))), "{ends:?}");
}

#[test]
fn files_are_made_by_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("made");
    let found = threads::run(3, |ranks| {
        ranks.first_then_others(|| {
            let there = file.exists();
            std::fs::write(&file, "x").map_err(|error| RankFault::message(&error))?;
            Ok::<_, RankFault>(there)
        })
    });
    assert_eq!(found, [Ok(false), Ok(true), Ok(true)]);
}
