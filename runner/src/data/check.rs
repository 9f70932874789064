//! Looks for images that cannot be read, before training starts.

mod known;

pub use known::{Known, forget};

use super::cache::Leads;
use super::{BadImage, DataError, Dataset};
use crate::spec::Data;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::prelude::*;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How many bad images a message names.
const NAMED: usize = 5;

/// A check that takes longer shows how far it is.
const QUIET: Duration = Duration::from_secs(1);

/// Reads every image of the splits that is not known to be readable, with `workers` threads, and gives those that cannot
/// be read, in the order of the samples. What is read goes into the cache, where there is one, as far as `leads` bring
/// it.
pub fn scan(dataset: &Dataset, workers: usize, leads: &Leads, known: &Known) -> Vec<BadImage> {
    if dataset.images.always_readable() {
        return Vec::new();
    }
    let [training, evaluation] = [&leads.training, &leads.evaluation];
    let forms = dataset.cache.admit(&[training, evaluation]);
    let of = |places: &[usize], lead| places.iter().map(move |&place| (place, lead)).collect::<Vec<_>>();
    let mut places = of(&dataset.train, 0);
    places.extend([&dataset.val, &dataset.test].into_iter().flat_map(|places| of(places, 1)));
    places.sort_unstable();
    let sample = |place: usize| dataset.samples.samples.get(place);
    let all: Vec<usize> = places.iter().map(|&(place, _)| place).collect();
    places.retain(|&(place, _)| sample(place).is_none_or(|sample| !known.has(sample)));
    if places.is_empty() {
        return Vec::new();
    }
    let progress = Progress::new(places.len());
    let read = |&(place, lead): &(usize, usize)| {
        let bad = match forms.get(lead) {
            Some(&form) if !dataset.cache.is_off() => dataset.image(place, form, [training, evaluation][lead]).err(),
            _ => sample(place).and_then(|sample| dataset.images.read(sample).err()),
        };
        progress.step();
        bad
    };
    // Where no threads can be made, the check is slow but right.
    let bad: Vec<BadImage> = match rayon::ThreadPoolBuilder::new().num_threads(workers.max(1)).build() {
        Ok(pool) => pool.install(|| places.par_iter().filter_map(read).collect()),
        Err(_) => places.iter().filter_map(read).collect(),
    };
    let names: HashSet<&str> = bad.iter().map(|image| image.name.as_str()).collect();
    known.keep(all.into_iter().filter_map(sample).filter(|sample| !names.contains(sample.name.as_str())));
    bad
}

/// The data without the images that cannot be read; an error where they are more than `max_bad` of
/// all, or where nothing is left of a split.
pub fn leave_out(dataset: Dataset, bad: &[BadImage], data: &Data) -> Result<Dataset, DataError> {
    let all = dataset.train.len() + dataset.val.len() + dataset.test.len();
    let share = bad.len() as f64 / all.max(1) as f64;
    if share > data.max_bad {
        return Err(DataError::invalid(format!(
            "{} of {all} images cannot be read ({:.1} %, `data.max_bad` lets {:.1} % pass):\n{}",
            bad.len(),
            share * 100.0,
            data.max_bad * 100.0,
            listed(bad)
        )));
    }
    let rest = dataset.without(bad);
    for (name, places, wanted) in
        [("train", &rest.train, 1.0), ("val", &rest.val, data.split.val), ("test", &rest.test, data.split.test_share())]
    {
        if places.is_empty() && wanted > 0.0 {
            return Err(DataError::invalid(format!(
                "none of the images of the split `{name}` can be read:\n{}",
                listed(bad)
            )));
        }
    }
    Ok(rest)
}

/// The first of the bad images, a line each.
pub fn listed(bad: &[BadImage]) -> String {
    let mut lines: Vec<String> = bad.iter().take(NAMED).map(|image| format!("  {image}")).collect();
    if bad.len() > NAMED {
        lines.push(format!("  and {} more", bad.len() - NAMED));
    }
    lines.join("\n")
}

/// A bar that shows itself only when there is something to wait for.
struct Progress {
    bar: ProgressBar,
    start: Instant,
    shown: AtomicBool,
}

impl Progress {
    fn new(length: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("checking images {bar:30} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        Progress { bar, start: Instant::now(), shown: AtomicBool::new(false) }
    }

    fn step(&self) {
        if self.start.elapsed() > QUIET && !self.shown.swap(true, Ordering::Relaxed) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Places, open};
    use super::*;
    use crate::augment::Augmentation;
    use image::RgbImage;
    use std::fs;

    /// A folder of `sound` images a class, with these broken ones in class `a`.
    fn data(sound: usize, broken: &[(&str, &[u8])], max_bad: f64) -> (tempfile::TempDir, Data, Dataset) {
        let dir = tempfile::tempdir().unwrap();
        for class in ["a", "b"] {
            fs::create_dir(dir.path().join(class)).unwrap();
            for number in 0..sound {
                RgbImage::new(4, 4).save(dir.path().join(class).join(format!("{number}.png"))).unwrap();
            }
        }
        for (name, bytes) in broken {
            fs::write(dir.path().join("a").join(name), bytes).unwrap();
        }
        let yaml = serde_yaml::from_str(&format!("source: {{ folder: . }}\nimage: {{ size: 8 }}\nmax_bad: {max_bad}"))
            .unwrap();
        let data: Data = serde_json::from_value(yaml).unwrap();
        let dataset = open::open_in(&data, dir.path(), 1, &Places::default()).unwrap();
        (dir, data, dataset)
    }

    const BROKEN: &[(&str, &[u8])] = &[("z.jpg", b""), ("nothing.png", b"no image"), ("cut.bmp", b"BM\x00\x01")];

    #[test]
    fn bad_images_are_found_in_order_whatever_the_number_of_workers() {
        let (_dir, spec, dataset) = data(20, BROKEN, 0.5);
        let leads = Leads::new(&spec.image, &Augmentation::default());
        let bad = scan(&dataset, 1, &leads, &Known::nothing());
        let names: Vec<&str> = bad.iter().map(|image| image.name.as_str()).collect();
        assert_eq!(names, ["a/cut.bmp", "a/nothing.png", "a/z.jpg"]);
        assert_eq!(scan(&dataset, 4, &leads, &Known::nothing()), bad);
        assert_eq!(scan(&dataset, 0, &leads, &Known::nothing()), bad);
    }

    #[test]
    fn bad_images_are_left_out_up_to_a_limit() {
        let (_dir, spec, dataset) = data(20, BROKEN, 0.07);
        let leads = Leads::new(&spec.image, &Augmentation::default());
        let bad = scan(&dataset, 2, &leads, &Known::nothing());
        let rest = leave_out(dataset, &bad, &spec).unwrap();
        assert_eq!(rest.train.len() + rest.val.len() + rest.test.len(), 40);
        assert!(scan(&rest, 2, &leads, &Known::nothing()).is_empty());

        let (_dir, spec, dataset) = data(20, BROKEN, 0.06);
        let message = leave_out(dataset, &bad, &spec).err().unwrap().to_string();
        let mut lines = message.lines();
        assert_eq!(lines.next(), Some("3 of 43 images cannot be read (7.0 %, `data.max_bad` lets 6.0 % pass):"));
        assert!(lines.next().unwrap().starts_with("  a/cut.bmp: "));
        assert_eq!(lines.count(), 2);
    }

    #[test]
    fn a_split_of_which_nothing_is_left_is_an_error() {
        let (_dir, spec, dataset) = data(20, &[], 1.0);
        let bad: Vec<BadImage> = dataset
            .val
            .iter()
            .map(|place| BadImage { name: dataset.samples.samples[*place].name.clone(), reason: "x".into() })
            .collect();
        let message = leave_out(dataset, &bad, &spec).err().unwrap().to_string();
        assert!(message.starts_with("none of the images of the split `val` can be read:"), "{message}");
        assert!(message.ends_with("  and 1 more"), "{message}");
    }

    #[test]
    fn what_could_be_read_is_not_read_again_until_it_changes() {
        let (dir, spec, dataset) = data(4, BROKEN, 0.5);
        let leads = Leads::new(&spec.image, &Augmentation::default());
        let folder = dir.path().join("known");
        let scanned = || scan(&dataset, 2, &leads, &Known::of(&dataset, &folder));
        let names = |bad: Vec<BadImage>| bad.into_iter().map(|image| image.name).collect::<Vec<_>>();
        let bad = names(scanned());
        assert_eq!(bad, ["a/cut.bmp", "a/nothing.png", "a/z.jpg"]);
        let known = Known::of(&dataset, &folder);
        let knows = |known: &Known| dataset.samples.samples.iter().filter(|sample| known.has(sample)).count();
        assert_eq!(knows(&known), 8);
        // Bad ones are looked at again: they may be mended.
        assert_eq!(names(scanned()), bad);
        fs::write(dir.path().join("a/2.png"), "of another length").unwrap();
        assert_eq!(knows(&known), 7);
        assert_eq!(names(scanned()), ["a/2.png", "a/cut.bmp", "a/nothing.png", "a/z.jpg"]);
        // A file that is not whole says nothing.
        let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        let mut bytes = fs::read(&file).unwrap();
        bytes[5] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert_eq!(knows(&Known::of(&dataset, &folder)), 0);
        assert_eq!(scanned().len(), 4);
        assert_eq!(knows(&Known::of(&dataset, &folder)), 7);
        forget(&folder);
        assert_eq!(knows(&Known::of(&dataset, &folder)), 0);
        // Nowhere to keep it: all are read each time.
        fs::write(&folder, "").unwrap();
        assert_eq!(scanned().len(), 4);
    }
}
