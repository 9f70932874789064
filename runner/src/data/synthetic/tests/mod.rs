//! Of every generator; those of one alone are in the files beside this one.

mod blood_cells;
mod sign_language;

use super::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn opened(generator: &str, seed: u64) -> (Samples, Synthetic) {
    find(generator).unwrap().open(seed)
}

/// The first `count` images with their samples.
fn images(generator: &str, seed: u64, count: usize) -> Vec<(Sample, Pixels)> {
    let (samples, source) = opened(generator, seed);
    samples.samples.into_iter().take(count).map(|sample| (sample.clone(), source.read(&sample).unwrap())).collect()
}

/// The labels of each group.
fn groups(samples: &Samples) -> BTreeMap<String, Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for sample in &samples.samples {
        groups.entry(sample.group.clone().unwrap()).or_default().push(sample.label);
    }
    groups
}

/// The mean colour.
fn mean(image: &Pixels) -> [f32; 3] {
    let mut sums = [0.0; 3];
    for pixel in image.bytes.chunks_exact(3) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += f32::from(value);
        }
    }
    sums.map(|sum| sum / (image.bytes.len() / 3) as f32)
}

fn square(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// The mean square of the distance between colours of one group, and of different groups.
fn distances(colours: &[(Option<String>, [f32; 3])]) -> (f32, f32) {
    let (mut within, mut between) = ((0.0, 0), (0.0, 0));
    for (n, (group, colour)) in colours.iter().enumerate() {
        for (other_group, other) in &colours[..n] {
            let pairs = if group == other_group { &mut within } else { &mut between };
            *pairs = (pairs.0 + square(*colour, *other), pairs.1 + 1);
        }
    }
    let mean = |(sum, count): (f32, u32)| sum / count as f32;
    (mean(within), mean(between))
}

#[test]
fn samples_are_balanced_over_classes_and_have_names_of_their_own() {
    for generator in all() {
        let (samples, _) = generator.open(1);
        assert_eq!(samples.samples.len(), generator.samples);
        let mut counts = vec![0; samples.classes.len()];
        for sample in &samples.samples {
            counts[sample.label] += 1;
            assert_eq!(sample.name.split_once('/').unwrap().0, samples.classes[sample.label]);
        }
        assert!(counts.iter().all(|&count| count == generator.samples / counts.len()), "{}", generator.name);
        let mut names: Vec<_> = samples.samples.iter().map(|sample| &sample.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), generator.samples);
        let mut classes = samples.classes.clone();
        classes.sort_unstable();
        classes.dedup();
        assert_eq!(classes.len(), samples.classes.len());
    }
}

#[test]
fn an_image_is_a_function_of_seed_and_number() {
    for generator in all() {
        let first = images(generator.name, 3, 30);
        // Read in another order, by itself.
        let (_, source) = generator.open(3);
        for (sample, image) in first.iter().rev() {
            assert_eq!(source.read(sample).unwrap(), *image);
            assert_eq!((image.channels, image.bytes.len()), (3, image.height * image.width * 3));
            assert_eq!(image.size(), first[0].1.size());
            let same = first.iter().filter(|(other, same)| other.name != sample.name && same == image);
            assert_eq!(same.count(), 0);
        }
        for ((_, a), (_, b)) in first.iter().zip(images(generator.name, 4, 30)) {
            assert_ne!(*a, b);
        }
    }
}

#[test]
fn what_is_not_generated_is_refused() {
    assert!(find("blood_sells").is_none());
    for generator in all() {
        let (samples, source) = generator.open(0);
        let sample = Sample { pointer: Pointer::File(PathBuf::from("a.png")), ..samples.samples[0].clone() };
        assert!(source.read(&sample).is_err());
    }
}
