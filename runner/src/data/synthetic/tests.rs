use super::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The first `count` images with their samples.
fn images(seed: u64, count: usize) -> Vec<(Sample, Pixels)> {
    let (samples, source) = open("blood_cells", seed).unwrap();
    samples.samples.into_iter().take(count).map(|sample| (sample.clone(), source.read(&sample).unwrap())).collect()
}

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

#[test]
fn samples_are_balanced_over_classes_and_slides() {
    let (samples, _) = open("blood_cells", 1).unwrap();
    assert_eq!(samples.classes, ["erythrocyte", "leukocyte", "platelet"]);
    assert_eq!(samples.samples.len(), 900);
    let mut slides: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for sample in &samples.samples {
        assert!(sample.name.starts_with(&samples.classes[sample.label]));
        slides.entry(sample.group.clone().unwrap()).or_default().push(sample.label);
    }
    assert_eq!(slides.len(), 100);
    for mut labels in slides.into_values() {
        labels.sort_unstable();
        assert_eq!(labels, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    }
}

#[test]
fn an_image_is_a_function_of_seed_and_number() {
    let first = images(3, 12);
    assert_eq!(first, images(3, 12));
    for ((_, a), (_, b)) in first.iter().zip(images(4, 12)) {
        assert_ne!(*a, b);
    }
    for (sample, image) in &first {
        assert_eq!((image.size(), image.channels, image.bytes.len()), ([96, 96], 3, 96 * 96 * 3));
        let others = first.iter().filter(|(other, same)| other.name != sample.name && same == image);
        assert_eq!(others.count(), 0);
    }
}

#[test]
fn classes_look_as_they_should() {
    // Stained nuclei and platelets are purple: much more blue than green, in the middle of the crop.
    let purple = |image: &Pixels| {
        let rows = image.bytes.chunks_exact(96 * 3).skip(24).take(48);
        let middle = rows.flat_map(|row| row[24 * 3..72 * 3].chunks_exact(3));
        middle.filter(|pixel| pixel[2] > pixel[1].saturating_add(18)).count() as f32 / (48.0 * 48.0)
    };
    for (sample, image) in images(7, 180) {
        let share = purple(&image);
        match sample.label {
            0 => assert!(share < 0.25, "{}: {share}", sample.name),
            _ => assert!(share > 0.02, "{}: {share}", sample.name),
        }
    }
}

#[test]
fn mean_colour_tells_the_classes_apart_only_in_part() {
    let images: Vec<_> = images(7, 300).into_iter().map(|(sample, image)| (sample.label, mean(&image))).collect();
    let mut means = [[0.0; 3]; 3];
    for (label, colour) in &images {
        for (sum, value) in means[*label].iter_mut().zip(colour) {
            *sum += value / 100.0;
        }
    }
    let nearest = |colour: [f32; 3]| {
        (0..3).min_by(|&a, &b| square(colour, means[a]).total_cmp(&square(colour, means[b]))).unwrap_or(0)
    };
    let right = images.iter().filter(|(label, colour)| nearest(*colour) == *label).count();
    assert!((150..285).contains(&right), "{right} of 300");
}

#[test]
fn cells_of_a_slide_share_its_light() {
    // The lightest tenth of the pixels is the empty smear.
    let background = |image: &Pixels| {
        let mut pixels: Vec<&[u8]> = image.bytes.chunks_exact(3).collect();
        pixels
            .sort_unstable_by_key(|pixel| std::cmp::Reverse(pixel.iter().map(|&value| u32::from(value)).sum::<u32>()));
        let lightest = pixels[..pixels.len() / 10].concat();
        mean(&Pixels { height: 1, width: lightest.len() / 3, channels: 3, bytes: lightest })
    };
    let colours: Vec<_> = images(5, 270).into_iter().map(|(s, image)| (s.group, background(&image))).collect();
    let (mut within, mut between) = ((0.0, 0), (0.0, 0));
    for (n, (slide, colour)) in colours.iter().enumerate() {
        for (other_slide, other) in &colours[..n] {
            let pairs = if slide == other_slide { &mut within } else { &mut between };
            *pairs = (pairs.0 + square(*colour, *other), pairs.1 + 1);
        }
    }
    let mean = |(sum, count): (f32, u32)| sum / count as f32;
    assert!(mean(within) * 1.5 < mean(between), "{} within, {} between", mean(within), mean(between));
}

#[test]
fn what_is_not_generated_is_refused() {
    assert!(open("blood_sells", 0).is_none() && classes("blood_sells").is_none());
    let (samples, source) = open("blood_cells", 0).unwrap();
    let sample = Sample { pointer: Pointer::File(PathBuf::from("a.png")), ..samples.samples[0].clone() };
    assert!(source.read(&sample).is_err());
}
