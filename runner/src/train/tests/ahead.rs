//! Images that are sent ahead, as to a device with memory of its own: the same run, to the last bit.

use super::reload::Save;
use super::resume::stopped_at;
use crate::train::ahead::tests::forced;

/// Runs with images that are sent ahead are those without, wherever they are stopped.
#[track_caller]
fn nothing_changes(sets: &[&str], saves: &[Save<'_>], sends: bool) {
    let mut all = 0;
    for at in [u64::MAX, 0, 1, 2, 4, 7, 11] {
        let expected = stopped_at(at, sets, saves);
        let (found, arrived) = forced(|| stopped_at(at, sets, saves));
        assert_eq!(found.0, expected.0, "losses, stopped after {at}");
        assert_eq!(found.1, expected.1, "events, stopped after {at}");
        assert!(found.2 == expected.2, "weights, stopped after {at}");
        all += arrived;
    }
    assert_eq!(all > 0, sends, "{all} pieces were sent");
}

/// More batches an epoch than the spec has: the last is not made before it is read.
const BATCH: &str = "data.batch=4";

#[test]
fn whole_batches() {
    nothing_changes(&[BATCH], &[], true);
    nothing_changes(&["data.batch=5", "augmentation.batch=[{ mixup: { alpha: 0.4 } }]"], &[], true);
}

#[test]
fn batches_in_pieces() {
    nothing_changes(&["data.micro_batch=2"], &[], true);
    nothing_changes(&["data.micro_batch=5", "schedule.phases.0.batch_norm=frozen"], &[], true);
}

/// In the first and last phase features are kept, or varied.
#[test]
fn features_that_are_kept_or_varied() {
    let phases = "schedule.phases=[{ name: head, epochs: 2, train: [head], lr: 0.1 }, \
                  { name: all, epochs: 2, train: ['*'], lr: 0.1 }, { name: last, epochs: 1, train: [head], lr: 0.1 }]";
    nothing_changes(&[BATCH, phases], &[], true);
    nothing_changes(&[BATCH, phases, "cache.views=off"], &[], true);
    nothing_changes(&[BATCH, phases, "augmentation.features=[{ mixup: { alpha: 0.4 } }]"], &[], false);
}

#[test]
fn specs_that_are_saved_meanwhile() {
    const FOUR: (&str, &str) = ("batch: 7", "batch: 4");
    const PIECES: (&str, &str) = ("batch: 7", "batch: 4\n  micro_batch: 3");
    const FIVE: (&str, &str) = ("batch: 7", "batch: 5");
    const RATE: (&str, &str) = ("lr: 0.1", "lr: 0.02");
    const MIXED: (&str, &str) = ("head:\n", "augmentation: { features: [mixup] }\nhead:\n");
    for saves in [
        &[(1, "epoch", &[FOUR, RATE][..]), (4, "epoch", &[PIECES, RATE])][..],
        &[(2, "epoch", &[PIECES]), (6, "epoch", &[FIVE])],
        &[(3, "epoch", &[FOUR, MIXED]), (7, "epoch", &[FOUR, RATE])],
    ] {
        nothing_changes(&[BATCH], saves, true);
    }
}
