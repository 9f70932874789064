use super::*;
use crate::augment::{Augment, BatchAugment, ColorJitter, HorizontalFlip, Mixup, Pixels, RandomResizedCrop};
use crate::data::sample::Pointer;
use crate::data::{DataFacts, ImageCache, ImageSource, Sample, Samples};
use crate::spec::data::Channels;
use crate::spec::{Fit, Normalize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Images whose pixels are their number. `bad` cannot be read; every read is counted.
struct Numbered {
    reads: AtomicUsize,
    bad: Option<usize>,
    panics: Option<usize>,
    slow: fn(usize) -> Duration,
}

impl Numbered {
    fn good() -> Self {
        Numbered { reads: AtomicUsize::new(0), bad: None, panics: None, slow: |_| Duration::ZERO }
    }
}

impl ImageSource for Numbered {
    fn read(&self, sample: &Sample) -> Result<Pixels, BadImage> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let Pointer::Number(number) = sample.pointer else { panic!("samples are numbered") };
        std::thread::sleep((self.slow)(number));
        assert_ne!(self.panics, Some(number), "a reader that breaks down");
        if self.bad == Some(number) {
            return Err(BadImage { name: sample.name.clone(), reason: "bad".into() });
        }
        let bytes = (0..12 * 12 * 3).map(|i| if i == 0 { number as u8 } else { (number * 7 + i * 13) as u8 }).collect();
        Ok(Pixels { height: 12, width: 12, channels: 3, bytes })
    }

    fn size(&self, _: &Sample) -> Option<[usize; 3]> {
        Some([12, 12, 3])
    }
}

fn augmentation() -> Augmentation {
    Augmentation {
        train: vec![
            Augment::RandomResizedCrop(RandomResizedCrop { scale: [0.3, 1.0], ratio: [0.75, 1.33] }),
            Augment::HorizontalFlip(HorizontalFlip { p: 0.5 }),
            Augment::ColorJitter(ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 }),
        ],
        batch: vec![BatchAugment::Mixup(Mixup { alpha: 0.4, p: 1.0 })],
        features: Vec::new(),
        test: None,
    }
}

fn loader(images: &Arc<Numbered>, count: usize, augmentation: Augmentation, workers: usize) -> Loader {
    caching(images, count, augmentation, workers, ImageCache::off())
}

/// A loader over data that has a cache.
fn caching(
    images: &Arc<Numbered>,
    count: usize,
    augmentation: Augmentation,
    workers: usize,
    cache: ImageCache,
) -> Loader {
    let samples = (0..count)
        .map(|n| Sample {
            name: format!("{n}.png"),
            pointer: Pointer::Number(n),
            label: n % 3,
            group: None,
            split: None,
        })
        .collect();
    let data = Dataset {
        samples: Samples { classes: ["a", "b", "c"].map(String::from).to_vec(), samples },
        images: Arc::clone(images) as Arc<dyn ImageSource>,
        cache: Arc::new(cache),
        facts: DataFacts { classes: vec![], samples: Some(count), description: String::new(), fallback: false },
        train: (0..count).collect(),
        val: vec![],
        test: vec![],
    };
    let normalize = Normalization { mean: vec![0.0; 3], std: vec![1.0; 3] };
    Loader::new(data, image(), &normalize, augmentation, 11, workers)
}

fn image() -> Image {
    Image {
        size: crate::spec::size::Size([12, 12]),
        channels: Channels::Rgb,
        normalize: Normalize::Unit,
        fit: Fit::Crop,
    }
}

#[test]
fn evaluation_gives_every_sample_in_order_and_as_it_is() {
    let images = Arc::new(Numbered::good());
    let loader = loader(&images, 10, augmentation(), 3);
    let order = [7, 1, 1, 9, 0, 2, 3];
    let batches: Vec<Batch> = loader.evaluation(&order, 3).collect::<Result<_, _>>().unwrap();
    assert_eq!(
        batches.iter().map(|batch| batch.dims).collect::<Vec<_>>(),
        [[3, 12, 12, 3], [3, 12, 12, 3], [1, 12, 12, 3]]
    );
    let seen: Vec<u64> = batches.iter().flat_map(|batch| batch.samples.clone()).collect();
    assert_eq!(seen, order.map(|place| place as u64));
    for batch in &batches {
        for row in 0..batch.dims[0] {
            let image = &batch.images[row * 432..][..432];
            assert!((image[0] * 255.0 - batch.samples[row] as f32).abs() < 1e-3, "pixels are those of the sample");
            assert_eq!(batch.labels[row], batch.samples[row] as usize % 3);
            let mut target = [0.0; 3];
            target[batch.labels[row]] = 1.0;
            assert_eq!(batch.targets[row * 3..][..3], target);
        }
    }
    assert_eq!(loader.evaluation(&[], 3).count(), 0);
}

#[test]
fn one_worker_and_four_give_the_same_bits() {
    // Later samples are faster, so that with several workers they overtake.
    let slow = |number: usize| Duration::from_micros(((97 - number) * 40 % 900) as u64);
    let run = |workers: usize, epoch: u64| -> Vec<Batch> {
        let images = Arc::new(Numbered { slow, ..Numbered::good() });
        let loader = loader(&images, 50, augmentation(), workers);
        let order = loader.shuffled(&(0..50).collect::<Vec<_>>(), epoch);
        loader.training(&order, 8, epoch).collect::<Result<_, _>>().unwrap()
    };
    let one = run(1, 0);
    assert_eq!(one, run(4, 0));
    assert_eq!(one, run(13, 0));
    let other = run(4, 1);
    assert_ne!(one[0].samples, other[0].samples, "each epoch has its order");
    assert_eq!(one.iter().map(|batch| batch.dims[0]).collect::<Vec<_>>(), [8, 8, 8, 8, 8, 8, 2]);
    let targets: Vec<f32> = one.into_iter().flat_map(|batch| batch.targets).collect();
    assert!(targets.chunks_exact(3).all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6));
    assert!(targets.iter().any(|&target| target > 0.05 && target < 0.95), "they are mixed");
}

#[test]
fn a_batch_that_was_looked_at_is_the_next() {
    let images = Arc::new(Numbered { bad: Some(10), ..Numbered::good() });
    let loader = loader(&images, 20, augmentation(), 2);
    let order: Vec<usize> = (0..20).collect();
    for own in [0..3, 1..2] {
        let own = |rows: usize| own.start.min(rows)..own.end.min(rows);
        let plain: Vec<_> = loader.training_own(&order, 3, 1, 0, &own).collect();
        assert_eq!(plain.iter().filter(|batch| batch.is_err()).count(), 1);
        let mut batches = loader.training_own(&order, 3, 1, 0, &own);
        for (number, expected) in plain.iter().enumerate() {
            // All but what is not read ahead, and what cannot be read.
            while number < 6 && expected.is_ok() && batches.look().is_none() {
                std::thread::sleep(Duration::from_micros(50));
            }
            for _ in 0..2 {
                assert!(batches.look().is_none_or(|seen| Some(seen) == expected.as_ref().ok()));
            }
            assert_eq!(batches.next().as_ref(), Some(expected));
        }
        assert!(batches.look().is_none() && batches.next().is_none());
    }
}

#[test]
fn a_sample_is_varied_anew_each_epoch_whatever_batch_it_is_in() {
    let images = Arc::new(Numbered::good());
    let loader = loader(&images, 10, Augmentation { batch: vec![], ..augmentation() }, 2);
    let image_of = |order: &[usize], epoch: u64| {
        let batches: Vec<Batch> = loader.training(order, 4, epoch).collect::<Result<_, _>>().unwrap();
        let (batch, row) = batches
            .iter()
            .find_map(|batch| Some((batch, batch.samples.iter().position(|&sample| sample == 5)?)))
            .unwrap();
        batch.images[row * 432..][..432].to_vec()
    };
    assert_eq!(image_of(&[5, 1, 2], 3), image_of(&[9, 8, 7, 6, 5], 3));
    assert_ne!(image_of(&[5, 1, 2], 3), image_of(&[5, 1, 2], 4));
}

#[test]
fn an_epochs_order_is_a_permutation_that_seed_and_epoch_decide() {
    let images = Arc::new(Numbered::good());
    let loader = loader(&images, 1, augmentation(), 1);
    let indices: Vec<usize> = (100..200).collect();
    let mut order = loader.shuffled(&indices, 2);
    assert_eq!(order, loader.shuffled(&indices, 2));
    assert_ne!(order, loader.shuffled(&indices, 3));
    order.sort_unstable();
    assert_eq!(order, indices);
}

#[test]
fn workers_do_not_run_away_from_a_slow_reader() {
    let images = Arc::new(Numbered::good());
    let loader = loader(&images, 200, augmentation(), 4);
    let order: Vec<usize> = (0..200).collect();
    let mut batches = loader.evaluation(&order, 5);
    for read in 1..=6 {
        batches.next().unwrap().unwrap();
        let bound = (read + batches::AHEAD) * 5;
        let full = (0..2000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            images.reads.load(Ordering::SeqCst) >= bound
        });
        assert!(full, "they work ahead up to the bound");
        std::thread::sleep(Duration::from_millis(10));
        assert_eq!(images.reads.load(Ordering::SeqCst), bound, "and no further: {read} batches of 5 are read");
    }
}

#[test]
fn a_bad_image_is_an_error_in_its_place() {
    for workers in [1, 4] {
        let images = Arc::new(Numbered { bad: Some(13), panics: Some(22), ..Numbered::good() });
        let loader = loader(&images, 30, augmentation(), workers);
        let order: Vec<usize> = (0..30).collect();
        let batches: Vec<_> = loader.training(&order, 5, 0).collect();
        assert_eq!(batches.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, true, false, true]);
        assert_eq!(batches[2], Err(BadImage { name: "13.png".into(), reason: "bad".into() }));
        assert_eq!(batches[4].as_ref().unwrap_err().name, "22.png");
    }
}

#[test]
fn a_place_that_does_not_exist_is_an_error() {
    let images = Arc::new(Numbered::good());
    let loader = loader(&images, 3, augmentation(), 2);
    let batches: Vec<_> = loader.evaluation(&[0, 99], 1).collect();
    assert!(batches[0].is_ok() && batches[1].is_err());
}

#[test]
fn dropping_early_stops_the_workers() {
    let images = Arc::new(Numbered { slow: |_| Duration::from_millis(1), ..Numbered::good() });
    let loader = loader(&images, 1000, augmentation(), 4);
    let order: Vec<usize> = (0..1000).collect();
    drop(loader.training(&order, 10, 0));
    let mut batches = loader.training(&order, 10, 0);
    batches.next().unwrap().unwrap();
    drop(batches);
    let reads = images.reads.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(images.reads.load(Ordering::SeqCst), reads, "nobody reads on");
    assert!(reads < 100, "{reads}");
    assert_eq!(Arc::strong_count(&loader.work), 1, "every thread is gone");
}

#[test]
fn views_are_drawn_by_sample_and_view_alone() {
    let run = |workers: usize, order: &[usize], view: usize| -> Vec<Batch> {
        let images = Arc::new(Numbered::good());
        let Augmentation { train, .. } = augmentation();
        let test = Some(crate::augment::Views { views: 3, entries: train });
        let loader = loader(&images, 20, Augmentation { test, ..Augmentation::default() }, workers);
        loader.view(order, 8, view).collect::<Result<_, _>>().unwrap()
    };
    let order: Vec<usize> = (0..20).collect();
    let (plain, one, two) = (run(1, &order, 0), run(1, &order, 1), run(1, &order, 2));
    assert_eq!(one, run(4, &order, 1));
    assert!(plain[0].images != one[0].images && one[0].images != two[0].images);
    // Alone, a sample is seen as among the others.
    let row = plain[0].images.len() / 8;
    assert_eq!(run(2, &[5], 2)[0].images, two[0].images[5 * row..][..row]);
}

#[test]
fn a_sample_that_comes_again_is_augmented_anew() {
    let train = augmentation().train;
    let images = Arc::new(Numbered::good());
    let loader = loader(&images, 5, Augmentation { train, ..Augmentation::default() }, 2);
    let rows = |order: &[usize]| -> Vec<(u64, Vec<f32>)> {
        let batches: Vec<Batch> = loader.training(order, 2, 1).collect::<Result<_, _>>().unwrap();
        let rows = |batch: &Batch| {
            let images = batch.images.chunks(432).map(<[f32]>::to_vec);
            batch.samples.iter().copied().zip(images).collect::<Vec<_>>()
        };
        batches.iter().flat_map(rows).collect()
    };
    let once = rows(&[3, 1]);
    let again = rows(&[3, 1, 3, 4, 3]);
    assert_eq!(again[..2], once, "the first time is as if it were the only one");
    assert_eq!([again[2].0, again[4].0], [3 | 1 << 40, 3 | 2 << 40]);
    assert!(again[2].1 != again[0].1 && again[4].1 != again[2].1 && again[4].1 != again[0].1);
    assert_eq!(again, rows(&[3, 1, 3, 4, 3]));
}

#[test]
fn what_is_kept_is_what_would_be_made_anew() {
    let crop = augmentation().train;
    let flip = vec![Augment::HorizontalFlip(HorizontalFlip { p: 0.5 })];
    let order: Vec<usize> = (0..20).rev().collect();
    for train in [crop, flip.clone(), vec![]] {
        let test = Some(crate::augment::Views { views: 2, entries: flip.clone() });
        let augmentation = Augmentation { train, test, ..augmentation() };
        let run = |most: u64| -> (Vec<Batch>, usize) {
            let images = Arc::new(Numbered::good());
            let loader = caching(&images, 20, augmentation.clone(), 3, ImageCache::up_to(most));
            let epochs = (1..=3).flat_map(|epoch| loader.training(&order, 8, epoch).collect::<Vec<_>>());
            let views = (0..2).flat_map(|view| loader.view(&order, 8, view).collect::<Vec<_>>());
            let batches = epochs.chain(views).collect::<Result<_, _>>().unwrap();
            (batches, images.reads.load(Ordering::SeqCst))
        };
        let (anew, reads) = run(0);
        assert_eq!(reads, 5 * 20);
        // Some, and all: a lead's images are read once.
        let leads = if matches!(augmentation.train.first(), Some(Augment::RandomResizedCrop(_))) { 2 } else { 1 };
        for (most, least, greatest) in [(3000, 60, 99), (1 << 20, 20 * leads, 20 * leads)] {
            let (kept, reads) = run(most);
            assert_eq!(kept, anew);
            assert!((least..=greatest).contains(&reads), "{reads} of {least} to {greatest}");
        }
    }
}

#[test]
fn images_that_were_checked_are_kept() {
    let images = Arc::new(Numbered { bad: Some(7), ..Numbered::good() });
    let loader = caching(&images, 20, augmentation(), 2, ImageCache::up_to(1 << 20));
    let leads = Leads::new(&image(), &augmentation());
    assert_eq!(crate::data::check::scan(&loader.work.data, 2, &leads, &crate::data::check::Known::nothing()).len(), 1);
    assert_eq!(images.reads.load(Ordering::SeqCst), 20);
    let good: Vec<usize> = (0..20).filter(|&place| place != 7).collect();
    assert_eq!(loader.training(&good, 8, 1).flatten().count(), 3);
    assert_eq!(images.reads.load(Ordering::SeqCst), 20, "none is read again");
}
