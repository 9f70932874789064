//! Several ranks: so many with a batch come to what one comes to with the batch of all.

use super::{Job, Nothing, Observer, RunDir, StopFlag, Watcher, Weights, dataset, drawn, images, planned, resolved};
use super::{Progress, train, weights};
use crate::augment::Pixels;
use crate::data::{BadImage, ImageSource, Sample};
use crate::engine::Cpu;
use crate::metrics::{Answers, Confusion};
use crate::ranks::{Ranks, threads};
use crate::train::ahead::tests::FORCED;
use crate::train::run::{Checkpoint, Outcome, resume};
use crate::train::{Event, TrainError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What one rank saw.
struct Seen {
    outcome: Result<Outcome, String>,
    /// The mean loss of the epoch so far, after each step.
    losses: Vec<f64>,
    /// Images that it read.
    reads: usize,
}

/// What a rank does besides training.
#[derive(Clone, Copy, Default)]
struct Odd {
    /// It is told to stop after so many steps.
    stops: Option<usize>,
    /// The image that it cannot read, of those that it reads so many.
    fails: Option<usize>,
    /// Its images are sent ahead, as to a device with memory of its own.
    ahead: bool,
}

/// Images that are counted, and one of which cannot be read.
struct Images {
    source: Arc<dyn ImageSource>,
    reads: Arc<AtomicUsize>,
    fails: Option<usize>,
}

impl ImageSource for Images {
    fn read(&self, sample: &Sample) -> Result<Pixels, BadImage> {
        let number = self.reads.fetch_add(1, Ordering::Relaxed);
        if self.fails == Some(number) {
            return Err(BadImage { name: sample.name.clone(), reason: "the disk is gone".to_owned() });
        }
        self.source.read(sample)
    }

    fn digest(&self, sample: &Sample) -> Result<[u8; 32], BadImage> {
        self.source.digest(sample)
    }

    fn size(&self, sample: &Sample) -> Option<[usize; 3]> {
        self.source.size(sample)
    }
}

/// Stops the run after some steps.
struct Stopper {
    watcher: Watcher,
    stop: StopFlag,
    after: Option<usize>,
    /// Whether there are files to look at.
    first: bool,
}

impl Observer for Stopper {
    fn event(&mut self, event: &Event) {
        if self.first {
            self.watcher.event(event);
        }
    }

    fn progress(&mut self, progress: Progress<'_>) {
        self.watcher.progress(progress);
        if self.after.is_some_and(|after| self.watcher.losses.len() >= after) {
            self.stop.raise();
        }
    }

    fn tested(&mut self, _: &[String], _: &Answers, _: &Confusion) {}
}

/// Begins or goes on with the run in `dir` as one of some ranks.
fn one(ranks: &Ranks, dir: &Path, sets: &[&str], odd: Odd) -> Seen {
    FORCED.set(odd.ahead);
    let plan = Arc::new(planned(dir, sets));
    let run_dir = RunDir::open(dir.join("run"));
    let mut data = dataset(&plan, dir);
    let reads = Arc::new(AtomicUsize::new(0));
    data.images = Arc::new(Images { source: data.images, reads: Arc::clone(&reads), fails: odd.fails });
    let from = ranks.first_then_others(|| Checkpoint::latest(&run_dir)).unwrap();
    let stop = StopFlag::default();
    let job = Job {
        data,
        bad: Vec::new(),
        dir: &run_dir,
        features: dir.join("features"),
        stop: stop.clone(),
        workers: 1,
        ranks: ranks.clone(),
        batches_a_step: from.as_ref().map_or(ranks.count(), |from| from.state.batches_a_step),
        follow: Box::new(Nothing),
        written: resolved::absolute(&plan.spec, dir),
        number: 1,
        command: String::new(),
        plan: Arc::clone(&plan),
    };
    let last = run_dir.last();
    let watcher = Watcher { last, epochs: Vec::new(), drawn: Vec::new(), losses: Vec::new(), ended: false };
    let mut observer = Stopper { watcher, stop, after: odd.stops, first: ranks.is_first() };
    let net = drawn(&plan);
    let trained = match from {
        Some(from) => resume(&Cpu::default(), net, job, from, None, &mut observer),
        None => train(&Cpu::default(), net, job, "random".to_owned(), &mut observer),
    };
    let outcome = trained.map_err(|error: TrainError| {
        ranks.fail(&error.to_string());
        error.to_string()
    });
    Seen { outcome, losses: observer.watcher.losses, reads: reads.load(Ordering::Relaxed) }
}

/// Trains in a folder by so many ranks; what each saw.
fn by(count: usize, dir: &Path, sets: &[&str], odd: impl Fn(usize) -> Odd + Sync) -> Vec<Seen> {
    std::fs::create_dir_all(dir.join("run/checkpoints")).unwrap();
    threads::run(count, |ranks| one(&ranks, dir, sets, odd(ranks.rank())))
}

/// The losses and the last and best weights of a run by so many ranks.
fn whole(count: usize, batch: usize, sets: &[&str]) -> (Vec<Seen>, [Weights; 2]) {
    let dir = images();
    let batch = format!("data.batch={batch}");
    let sets: Vec<&str> = sets.iter().copied().chain([batch.as_str()]).collect();
    let seen = by(count, dir.path(), &sets, |_| Odd::default());
    for rank in &seen {
        assert_eq!(rank.outcome, Ok(Outcome::Finished), "{sets:?}");
        assert_eq!(rank.losses, seen[0].losses);
    }
    let file = |name: &str| weights(&dir.path().join(format!("run/checkpoints/{name}.safetensors")));
    (seen, [file("last"), file("best")])
}

#[track_caller]
fn near(found: &Weights, expected: &Weights, tolerance: f32, what: &str) {
    assert!(found.keys().eq(expected.keys()));
    for (name, expected) in expected {
        for (a, b) in found[name].iter().zip(expected) {
            assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "{what}, {name}: {a} for {b}");
        }
    }
}

/// Two and three ranks come to what one comes to.
#[track_caller]
fn come_to_the_same(sets: &[&str]) {
    let steps_of = |seen: &[Seen]| seen[0].losses.clone();
    for (count, batch) in [(2, 4), (3, 3)] {
        let (alone, expected) = whole(1, count * batch, sets);
        let (seen, found) = whole(count, batch, sets);
        let (expected_losses, losses) = (steps_of(&alone), steps_of(&seen));
        assert_eq!(losses.len(), expected_losses.len(), "{sets:?}");
        for (a, b) in losses.iter().zip(&expected_losses) {
            assert!(
                (a - b).abs() <= 2e-5 * (1.0 + b.abs()),
                "{count} ranks, {sets:?}: {losses:?} for {expected_losses:?}"
            );
        }
        for (found, expected) in found.iter().zip(&expected) {
            near(found, expected, 5e-4, &format!("{count} ranks, {sets:?}"));
        }
    }
}

/// The blocks of a larger net; its head trains, then the upper block too.
const BLOCKS: [&str; 2] = [
    "layers=[{ conv2d: { out: 6, kernel: 3, stride: 2, padding: 1 } }, batch_norm, relu, \
     { conv2d: { out: 9, kernel: 3, padding: 1 } }, batch_norm, relu]",
    "schedule.phases=[{ name: head, epochs: 2, train: [head], lr: 0.1 }, \
     { name: top, epochs: 2, train: [head, layers.3-4], lr: 0.1, batch_norm: frozen }]",
];

#[test]
fn with_batch_norm_that_follows_the_batch() {
    come_to_the_same(&["augmentation.train=[{ horizontal_flip: 0.5 }]"]);
}

#[test]
fn with_a_frozen_prefix_whose_features_are_kept() {
    come_to_the_same(&BLOCKS);
    let read = |cache| {
        let sets = [BLOCKS[0], BLOCKS[1], cache];
        whole(2, 4, &sets).0.iter().map(|seen| seen.reads).collect::<Vec<_>>()
    };
    let (kept, anew) = (read("cache={ views: exact }"), read("cache={ views: off }"));
    assert!(kept.iter().zip(&anew).all(|(kept, anew)| kept < anew), "{kept:?} {anew:?}");
    come_to_the_same(&[BLOCKS[0], BLOCKS[1], "cache={ memory: 0B, disk: 1MiB }"]);
}

#[test]
fn with_frozen_batch_norm_and_dropout() {
    come_to_the_same(&[
        "schedule.phases=[{ name: all, epochs: 3, train: ['*'], lr: 0.1, batch_norm: frozen }]",
        "head=[global_avg_pool, { dropout: 0.3 }, { linear: { out: classes } }]",
    ]);
}

#[test]
fn with_batches_that_are_mixed() {
    come_to_the_same(&["augmentation.batch=[{ mixup: { alpha: 0.4 } }]"]);
    come_to_the_same(&[BLOCKS[0], BLOCKS[1], "augmentation.features=[{ mixup: { alpha: 0.4 } }]"]);
}

#[test]
fn with_all_that_acts_on_losses_gradients_and_weights() {
    come_to_the_same(&[
        "data.oversample=balanced",
        "regularization={ label_smoothing: 0.1, class_weights: balanced, clip_grad_norm: 0.2, ema: { decay: 0.8 }, \
         gradient_noise: { eta: 0.01 }, l2: 1e-3 }",
        "schedule.optimizer={ sgd: { momentum: 0.9 } }",
    ]);
    come_to_the_same(&["regularization.swa={ from_epoch: 2 }"]);
}

#[test]
fn with_batches_in_pieces() {
    let sets =
        ["schedule.phases=[{ name: all, epochs: 2, train: ['*'], lr: 0.1, batch_norm: frozen }]", "data.micro_batch=2"];
    come_to_the_same(&sets);
}

#[test]
fn with_images_that_are_sent_ahead() {
    for more in ["data.micro_batch=2", "augmentation.batch=[{ mixup: { alpha: 0.4 } }]", "data.micro_batch=3"] {
        let sets = ["data.batch=4", more];
        let [(losses, weights), expected] = [true, false].map(|ahead| {
            let dir = images();
            let seen = by(2, dir.path(), &sets, |_| Odd { ahead, ..Odd::default() });
            assert!(seen.iter().all(|seen| seen.outcome == Ok(Outcome::Finished)));
            let losses: Vec<Vec<f64>> = seen.into_iter().map(|seen| seen.losses).collect();
            (losses, weights(&dir.path().join("run/checkpoints/last.safetensors")))
        });
        assert_eq!(losses, expected.0, "{more}");
        assert!(weights == expected.1, "{more}");
    }
}

/// Each rank reads its own images alone, where nothing mixes them.
#[test]
fn the_work_is_shared() {
    let one_epoch = ["schedule.phases=[{ name: all, epochs: 1, train: ['*'], lr: 0.1 }]", "data.cache.mode=off"];
    let sets = &one_epoch[..1];
    let alone = whole(1, 8, sets).0[0].reads;
    let shares: Vec<usize> = whole(2, 4, sets).0.iter().map(|seen| seen.reads).collect();
    assert_eq!(shares.iter().sum::<usize>(), alone, "{shares:?}");
    assert!(shares[0].abs_diff(shares[1]) <= 8, "{shares:?}");
}

/// Stopped on one rank, the run goes on to the same bits by as many ranks, and within rounding by one.
#[test]
fn stopped_anywhere_it_goes_on() {
    let sets =
        ["data.batch=4", "regularization={ ema: { decay: 0.8 } }", "schedule.optimizer={ sgd: { momentum: 0.9 } }"];
    let last = |dir: &Path| weights(&dir.join("run/checkpoints/last.safetensors"));
    let unbroken = images();
    by(2, unbroken.path(), &sets, |_| Odd::default());
    let steps = 15;
    for (after, then) in [(1, 2), (5, 2), (8, 2), (steps - 1, 2), (4, 1), (5, 3)] {
        let dir = images();
        let told = |rank| Odd { stops: (rank == 1).then_some(after), ..Odd::default() };
        let seen = by(2, dir.path(), &sets, told);
        assert!(seen.iter().all(|seen| seen.outcome == Ok(Outcome::Interrupted)), "{after}");
        let seen = by(then, dir.path(), &sets, |_| Odd::default());
        assert!(seen.iter().all(|seen| seen.outcome == Ok(Outcome::Finished)));
        if then == 2 {
            assert!(last(dir.path()) == last(unbroken.path()), "after {after} steps");
        } else {
            near(&last(dir.path()), &last(unbroken.path()), 5e-4, &format!("{then} ranks after {after} steps"));
        }
    }
}

#[test]
fn an_image_that_one_rank_cannot_read_ends_all_with_its_reason() {
    let dir = images();
    let fails = |rank| Odd { fails: (rank == 1).then_some(11), ..Odd::default() };
    let seen = by(2, dir.path(), &["data.batch=4"], fails);
    let said: Vec<&String> = seen.iter().map(|seen| seen.outcome.as_ref().unwrap_err()).collect();
    assert!(said[1].contains("an image cannot be read any more") && said[1].contains("the disk is gone"), "{said:?}");
    assert_eq!(*said[0], format!("rank 1 of 2 (counted from 0) stopped: {}", said[1]));
    let events = std::fs::read_to_string(dir.path().join("run/events.jsonl")).unwrap();
    assert!(events.lines().last().unwrap().contains("rank 1 of 2"), "{events}");
}

#[test]
fn a_loss_that_is_not_finite_is_one_for_all() {
    let dir = images();
    let sets =
        ["data.batch=4", "schedule.phases=[{ name: all, epochs: 3, train: ['*'], lr: 1e38, batch_norm: frozen }]"];
    let seen = by(2, dir.path(), &sets, |_| Odd::default());
    let said: Vec<&String> = seen.iter().map(|seen| seen.outcome.as_ref().unwrap_err()).collect();
    assert!(said[0].contains("the loss became"), "{said:?}");
    assert_eq!(said[0], said[1]);
}
