//! Of blood cells.

use super::*;

#[test]
fn slides_hold_three_cells_of_each_class() {
    let (samples, _) = opened("blood_cells", 1);
    assert_eq!(samples.classes, ["erythrocyte", "leukocyte", "platelet"]);
    let slides = groups(&samples);
    assert_eq!((samples.samples.len(), slides.len()), (900, 100));
    for mut labels in slides.into_values() {
        labels.sort_unstable();
        assert_eq!(labels, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
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
    for (sample, image) in images("blood_cells", 7, 180) {
        let share = purple(&image);
        match sample.label {
            0 => assert!(share < 0.25, "{}: {share}", sample.name),
            _ => assert!(share > 0.02, "{}: {share}", sample.name),
        }
    }
}

#[test]
fn mean_colour_tells_the_classes_apart_only_in_part() {
    let images: Vec<_> =
        images("blood_cells", 7, 300).into_iter().map(|(sample, image)| (sample.label, mean(&image))).collect();
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
    let colours: Vec<_> =
        images("blood_cells", 5, 270).into_iter().map(|(s, image)| (s.group, background(&image))).collect();
    let (within, between) = distances(&colours);
    assert!(within * 1.5 < between, "{within} within, {between} between");
}
