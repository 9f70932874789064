//! What holds for all augmentations, tried with the example in each one's description.

use super::testing::{apply, refused, stream, waves};
use super::*;
use crate::spec::named::Named;

/// The entries in the examples of the reference page, from the section of this title: name and entry.
fn examples<E: Named + serde::de::DeserializeOwned>(section: &str) -> Vec<(&'static str, E)> {
    let pages = crate::spec::reference::pages();
    let (_, page) = pages.iter().find(|(file, _)| file == "augmentation.md").unwrap();
    let section = page.split("\n## ").find(|text| text.starts_with(&format!("{section}\n"))).unwrap();
    let example = |name: &&'static str| {
        let text = section.split("\n### ").find(|text| text.starts_with(&format!("{name}\n"))).unwrap();
        // Entries that an image and a batch may have give one example of each.
        let yaml = text.lines().filter_map(|line| line.strip_prefix('`')?.strip_suffix('`'));
        let read: Vec<_> =
            yaml.map(|yaml| serde_yaml::from_str::<E>(yaml).map_err(|error| format!("{yaml}: {error}"))).collect();
        let told = format!("{name}: {:?}", read.iter().filter_map(|entry| entry.as_ref().err()).collect::<Vec<_>>());
        (*name, read.into_iter().find_map(Result::ok).unwrap_or_else(|| panic!("{told}")))
    };
    E::NAMES.iter().map(example).collect()
}

fn images() -> Vec<(&'static str, Augment)> {
    examples("Augment")
}

#[test]
fn every_example_is_accepted() {
    for (name, entry) in images() {
        assert_eq!(refused(&entry), Vec::<String>::new(), "{name}");
    }
    for (name, entry) in examples::<BatchAugment>("BatchAugment") {
        let mut problems = Problems::default();
        Entry::check(&entry, &Path::of("a"), &mut problems);
        assert!(problems.0.is_empty(), "{name}");
    }
}

#[test]
fn every_example_is_written_as_it_was_read() {
    for (name, entry) in images() {
        let read: Augment = serde_json::from_value(serde_json::to_value(&entry).unwrap()).unwrap();
        assert_eq!(read, entry, "{name}");
    }
}

#[test]
fn the_same_key_gives_the_same_bytes() {
    let image = waves(20, 24, 3);
    for (name, entry) in images() {
        for n in 0..10 {
            assert_eq!(apply(&entry, &image, n), apply(&entry, &image, n), "{name}");
        }
    }
}

#[test]
fn sizes_and_channels_are_as_promised_and_nothing_panics() {
    for (name, entry) in images() {
        for channels in [1, 3] {
            for [height, width] in [[1, 1], [1, 9], [9, 1], [2, 2], [17, 8], [40, 3]] {
                for n in 0..12 {
                    let image = waves(height, width, channels);
                    let context = Context { target: [6, 5], epoch: 1 + n % 12 };
                    let out = entry.apply(image.clone(), context, &mut stream(n));
                    assert_eq!(out.channels, channels, "{name}");
                    assert_eq!(out.bytes.len(), out.height * out.width * channels, "{name}");
                    assert!(out.height > 0 && out.width > 0, "{name}");
                    assert!(entry.sizes() || out.size() == image.size(), "{name}");
                }
            }
        }
    }
}

#[test]
fn no_entry_does_nothing() {
    // Mild colours, so that neither stretching nor equalizing finds nothing to do.
    let mut image = waves(24, 24, 3);
    for value in &mut image.bytes {
        *value = 60 + *value / 3;
    }
    for (name, entry) in images() {
        let context = Context { target: [16, 16], epoch: 5 };
        let changed = (0..50).any(|n| entry.apply(image.clone(), context, &mut stream(n)) != image);
        assert!(changed, "{name}");
    }
}

#[test]
fn what_is_random_differs_from_key_to_key() {
    // Large enough that a tile's counts, which CLAHE limits, are above 1.
    let fixed = ["resize", "center_crop"];
    let image = waves(96, 96, 3);
    for (name, entry) in images() {
        let context = Context { target: [16, 16], epoch: 5 };
        let first = entry.apply(image.clone(), context, &mut stream(0));
        let differs = (1..50).any(|n| entry.apply(image.clone(), context, &mut stream(n)) != first);
        assert_eq!(differs, !fixed.contains(&name), "{name}");
    }
}

#[test]
fn grey_in_three_channels_stays_grey_where_geometry_alone_changes() {
    let flat = waves(20, 20, 1);
    let grey = flat.clone().with_channels(3);
    for name in ["horizontal_flip", "vertical_flip", "rotate", "rotate90", "affine", "perspective", "elastic", "resize"]
    {
        let (_, entry) = images().into_iter().find(|(other, _)| *other == name).unwrap();
        for n in 0..5 {
            assert_eq!(apply(&entry, &flat, n).with_channels(3), apply(&entry, &grey, n), "{name}");
        }
    }
}

#[test]
fn batches_keep_their_sums_whatever_is_drawn() {
    for (name, entry) in examples::<BatchAugment>("BatchAugment") {
        for samples in [1, 2, 7] {
            for dims in [[1, 1, 1], [5, 4, 3], [1, 8, 1]] {
                let len: usize = dims.iter().product();
                let before = BatchValues {
                    samples,
                    dims,
                    classes: 3,
                    images: (0..samples * len).map(|i| (i / len) as f32).collect(),
                    targets: (0..samples * 3).map(|i| f32::from((i / 3) % 3 == i % 3)).collect(),
                };
                for n in 0..20 {
                    let (mut batch, mut again) = (before.clone(), before.clone());
                    entry.apply(&mut batch, 1 + n, &mut stream(n));
                    entry.apply(&mut again, 1 + n, &mut stream(n));
                    assert_eq!(batch, again, "{name}");
                    for row in batch.targets.chunks_exact(3) {
                        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{name}: {row:?}");
                    }
                    // Partners are an order of the batch, so nothing is lost in sum.
                    let sums = [&before, &batch].map(|batch| batch.images.iter().sum::<f32>());
                    assert!((sums[0] - sums[1]).abs() < 1e-3 * sums[0].max(1.0), "{name}: {sums:?}");
                }
            }
        }
    }
}

#[test]
fn examples_of_batches_do_something() {
    let before = BatchValues {
        samples: 4,
        dims: [6, 6, 1],
        classes: 4,
        images: (0..144).map(|i| (i / 36) as f32).collect(),
        targets: (0..16).map(|i| f32::from(i / 4 == i % 4)).collect(),
    };
    for (name, entry) in examples::<BatchAugment>("BatchAugment") {
        let changed = (0..50).any(|n| {
            let mut batch = before.clone();
            entry.apply(&mut batch, 3, &mut stream(n));
            batch != before
        });
        assert!(changed, "{name}");
    }
}
