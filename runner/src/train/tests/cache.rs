//! Features that are kept: the same results, less work.

use super::{Job, Nothing, Ran, RunDir, StopFlag, Watcher, dataset, drawn, images, planned, resolved, train};
use crate::augment::Pixels;
use crate::data::{BadImage, ImageSource, Sample};
use crate::engine::Cpu;
use crate::ranks::Ranks;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts how often images are read.
struct Counted {
    images: Arc<dyn ImageSource>,
    reads: Arc<AtomicUsize>,
}

impl ImageSource for Counted {
    fn read(&self, sample: &Sample) -> Result<Pixels, BadImage> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.images.read(sample)
    }

    fn digest(&self, sample: &Sample) -> Result<[u8; 32], BadImage> {
        self.images.digest(sample)
    }

    fn size(&self, sample: &Sample) -> Option<[usize; 3]> {
        self.images.size(sample)
    }
}

/// A net of two blocks; its head trains, then the upper block too, then the head alone.
const SETS: &[&str] = &[
    "layers=[{ conv2d: { out: 6, kernel: 3, stride: 2, padding: 1 } }, batch_norm, relu, \
     { conv2d: { out: 9, kernel: 3, padding: 1 } }, batch_norm, relu]",
    "schedule.phases=[{ name: head, epochs: 2, train: [head], lr: 0.1 }, \
     { name: top, epochs: 2, train: [head, layers.3-4], lr: 0.1 }, \
     { name: last, epochs: 2, train: [head], lr: 0.05 }]",
];

/// A run with features kept in a folder, and how many images it read.
fn kept(folder: &Path, sets: &[&str]) -> (Ran, usize) {
    let dir = images();
    let sets: Vec<&str> = SETS.iter().chain(sets).copied().collect();
    let plan = Arc::new(planned(dir.path(), &sets));
    let run_dir = RunDir::at(dir.path().join("run")).unwrap();
    let reads = Arc::new(AtomicUsize::new(0));
    let mut data = dataset(&plan, dir.path());
    data.images = Arc::new(Counted { images: data.images, reads: Arc::clone(&reads) });
    let job = Job {
        plan: Arc::clone(&plan),
        data,
        bad: Vec::new(),
        dir: &run_dir,
        features: folder.to_owned(),
        stop: StopFlag::default(),
        workers: 2,
        ranks: Ranks::alone(),
        batches_a_step: 1,
        follow: Box::new(Nothing),
        written: resolved::absolute(&plan.spec, dir.path()),
        number: 1,
        command: String::new(),
    };
    let mut watcher =
        Watcher { last: run_dir.last(), epochs: Vec::new(), drawn: Vec::new(), losses: Vec::new(), ended: false };
    train(&Cpu::default(), drawn(&plan), job, "random".to_owned(), &mut watcher).unwrap();
    let events = fs::read_to_string(dir.path().join("run/events.jsonl")).unwrap();
    let events = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let Watcher { epochs, drawn, losses, .. } = watcher;
    (Ran { dir, events, epochs, drawn, losses }, reads.load(Ordering::Relaxed))
}

fn in_memory(sets: &[&str]) -> (Ran, usize) {
    kept(Path::new("nowhere"), sets)
}

/// Two runs are the same: losses, weights, validation.
#[track_caller]
fn same(a: &Ran, b: &Ran) {
    assert_eq!(a.losses, b.losses);
    assert!(a.epochs == b.epochs, "weights");
    let val =
        |ran: &Ran| -> Vec<Value> { ran.of_kind("epoch_finished").iter().map(|epoch| epoch["val"].clone()).collect() };
    assert_eq!(val(a), val(b));
}

/// 18 train, 9 are validated, 9 are tested.
const TRAIN: usize = 18;
const HELD_OUT: usize = 9;

#[test]
fn what_is_kept_changes_no_bit_and_no_image_is_read_twice_for_it() {
    let averaged = &["data.micro_batch=3", "regularization={ ema: { decay: 0.8 } }"][..];
    for (more, validations) in [(&["data.batch=4"][..], 6), (averaged, 12)] {
        let without: Vec<&str> = more.iter().chain(&["cache={ views: off }"]).copied().collect();
        let (plain, read) = in_memory(&without);
        assert_eq!(read, 6 * TRAIN + (validations + 1) * HELD_OUT);
        let (cached, read) = in_memory(more);
        same(&plain, &cached);
        // Once: the second phase and the third go on from what is kept for the second.
        assert_eq!(read, TRAIN + HELD_OUT + HELD_OUT);
    }
}

/// What is kept in files goes on from nothing.
#[test]
fn phases_go_on_from_draws_that_an_earlier_one_kept_for_them() {
    let augmented = "augmentation={ train: [{ rotate: { degrees: 90 } }, { color_jitter: { brightness: 0.5 } }] }";
    let folder = tempfile::tempdir().unwrap();
    let (apart, read) = kept(folder.path(), &[augmented, "cache={ views: 2, memory: 0B, disk: 1MiB }"]);
    assert_eq!(read, 2 * (2 * TRAIN + HELD_OUT) + HELD_OUT);
    let (on, read) = in_memory(&[augmented, "cache={ views: 2 }"]);
    same(&apart, &on);
    assert_eq!(read, 2 * TRAIN + HELD_OUT + HELD_OUT);
    // A draw that the first phase does not come to is computed when the second does.
    let sets = [augmented, "cache={ views: 4 }", "schedule.phases.0.epochs=1"];
    let (_, read) = in_memory(&sets);
    assert_eq!(read, 4 * TRAIN + HELD_OUT + HELD_OUT);
}

#[test]
fn what_does_not_fit_into_memory_is_kept_in_files_that_the_next_run_finds() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, _) = in_memory(&["cache={ views: off }"]);
    let sets = ["cache={ memory: 0B, disk: 1MiB }"];
    let (first, read) = kept(folder.path(), &sets);
    same(&plain, &first);
    assert_eq!(read, 2 * (TRAIN + HELD_OUT) + HELD_OUT);
    // The nets of the first two phases are the same when they begin; what the second trains in front of the
    // third's boundary is as well.
    let (second, read) = kept(folder.path(), &sets);
    same(&plain, &second);
    assert_eq!(read, HELD_OUT);
    // Whatever becomes of the files.
    for file in fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        (200..bytes.len()).step_by(397).for_each(|place| bytes[place] ^= 4);
        fs::write(path, bytes).unwrap();
    }
    let (third, read) = kept(folder.path(), &sets);
    same(&plain, &third);
    assert!(read > HELD_OUT && read < 3 * (TRAIN + HELD_OUT), "{read} images were read");
    // A folder that cannot be made: all is computed.
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (nowhere, _) = kept(&file.join("features"), &sets);
    same(&plain, &nowhere);
    // No room: as without.
    let (too_many, read) = kept(folder.path(), &["cache={ memory: 0B, disk: 0B }"]);
    same(&plain, &too_many);
    assert_eq!(read, 6 * (TRAIN + HELD_OUT) + HELD_OUT);
}

#[test]
fn draws_are_taken_in_turn() {
    let mut sets = vec![
        "augmentation={ train: [{ rotate: { degrees: 90 } }, { color_jitter: { brightness: 0.5 } }] }",
        "schedule.phases=[{ name: head, epochs: 7, train: [head], lr: 1e-30 }]",
    ];
    let losses = |ran: &Ran| -> Vec<f64> {
        ran.of_kind("epoch_finished").iter().map(|epoch| epoch["train_loss"].as_f64().unwrap()).collect()
    };
    let (plain, read) = in_memory(&sets);
    let plain = losses(&plain);
    assert_eq!(read, 7 * TRAIN + 2 * HELD_OUT);
    sets.push("cache={ views: 3 }");
    let (cached, read) = in_memory(&sets);
    let cached = losses(&cached);
    assert_eq!(read, 3 * TRAIN + 2 * HELD_OUT);
    // The first draws are those of the first epochs.
    assert_eq!(plain[..3], cached[..3]);
    for epoch in 0..7 {
        for other in 0..7 {
            let equal = (cached[epoch] - cached[other]).abs() < 1e-6;
            assert_eq!(equal, epoch % 3 == other % 3, "epochs {epoch} and {other}: {cached:?}");
        }
    }
}

/// Features are mixed where the frozen part ends, whether it is kept or not; where all trains, images are.
#[test]
fn mixed_features_are_the_same_kept_or_not() {
    let mixed = "augmentation={ features: [mixup: { alpha: 0.4 }] }";
    let unmixed = in_memory(&[]).0;
    let (kept, read) = in_memory(&[mixed]);
    assert_eq!(read, TRAIN + HELD_OUT + HELD_OUT);
    assert_ne!(kept.losses, unmixed.losses);
    same(&in_memory(&[mixed, "cache={ views: off }"]).0, &kept);
    same(
        &in_memory(&[mixed, "cache={ views: off }", "data.micro_batch=4"]).0,
        &in_memory(&[mixed, "data.micro_batch=4"]).0,
    );
    let all = "schedule.phases=[{ name: all, epochs: 1, lr: 0.1, train: ['*'] }]";
    assert_ne!(in_memory(&[mixed, all]).0.losses, in_memory(&[all]).0.losses);
}

#[test]
fn half_the_bits_are_near() {
    let (plain, _) = in_memory(&[]);
    let (half, _) = in_memory(&["cache={ precision: f16 }"]);
    assert_ne!(plain.losses, half.losses);
    let last = |ran: &Ran| ran.losses.last().copied().unwrap();
    assert!((last(&plain) - last(&half)).abs() < 0.02 * last(&plain).abs(), "{} and {}", last(&plain), last(&half));
}
