//! Of signs.

use super::*;

#[test]
fn every_signer_signs_every_class_once() {
    let (samples, _) = opened("sign_language", 1);
    assert_eq!(samples.classes.len(), 27);
    assert_eq!((samples.classes[0].as_str(), samples.classes[25].as_str()), ("a", "z"));
    assert_eq!(samples.classes[26], "space");
    let signers = groups(&samples);
    assert_eq!(signers.len(), 40);
    for mut labels in signers.into_values() {
        labels.sort_unstable();
        assert!(labels.into_iter().eq(0..27));
    }
}

/// What is seen of a hand where colours do not matter: how rough each of 12x12 cells is, less the
/// image's mean, of length 1.
fn outline(image: &Pixels) -> Vec<f32> {
    let gray = |y: usize, x: usize| {
        let start = (y * image.width + x) * 3;
        image.bytes[start..start + 3].iter().map(|&value| f32::from(value)).sum::<f32>()
    };
    let mut cells = vec![0.0; 144];
    for y in 0..60 {
        for x in 0..60 {
            let here = gray(y, x);
            cells[y / 5 * 12 + x / 5] += (gray(y + 1, x) - here).abs() + (gray(y, x + 1) - here).abs();
        }
    }
    let mean = cells.iter().sum::<f32>() / 144.0;
    let length = cells.iter().map(|cell| (cell - mean).powi(2)).sum::<f32>().sqrt();
    cells.into_iter().map(|cell| (cell - mean) / length).collect()
}

/// The share of images whose most similar one among those of other signers is of their class.
fn told_apart(features: &[(usize, Vec<f32>)], tested: usize) -> f32 {
    let (tested, known) = features.split_at(tested);
    let alike = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let nearest = |feature: &[f32]| {
        known.iter().max_by(|(_, a), (_, b)| alike(feature, a).total_cmp(&alike(feature, b))).map(|(label, _)| *label)
    };
    tested.iter().filter(|(label, feature)| nearest(feature) == Some(*label)).count() as f32 / tested.len() as f32
}

#[test]
fn signs_of_a_new_signer_can_be_told_but_not_by_their_outline_alone() {
    let images = images("sign_language", 7, 30 * 27);
    let outlines: Vec<_> = images.iter().map(|(sample, image)| (sample.label, outline(image))).collect();
    let right = told_apart(&outlines, 10 * 27);
    assert!((0.25..0.85).contains(&right), "{right} by outline, where chance is {}", 1.0 / 27.0);
    // The room tells nothing of the sign.
    let colours: Vec<_> = images.iter().map(|(sample, image)| (sample.label, mean(image).to_vec())).collect();
    let right = told_apart(&colours, 10 * 27);
    assert!(right < 0.12, "{right} by mean colour");
}

#[test]
fn a_signer_stays_in_one_room() {
    // The upper corners show the room behind the hand.
    let corners = |image: &Pixels| {
        let rows = image.bytes.chunks_exact(64 * 3).take(6);
        let bytes: Vec<u8> = rows.flat_map(|row| [&row[..18], &row[58 * 3..]].concat()).collect();
        mean(&Pixels { height: 1, width: bytes.len() / 3, channels: 3, bytes })
    };
    let colours: Vec<_> = images("sign_language", 5, 10 * 27)
        .into_iter()
        .map(|(sample, image)| (sample.group, corners(&image)))
        .collect();
    let (within, between) = distances(&colours);
    assert!(within * 4.0 < between, "{within} within, {between} between");
}
