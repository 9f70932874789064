//! `runner augment`.

use crate::support::{Place, folder_spec, two_colours};
use predicates::prelude::*;
use predicates::str::contains;

#[test]
fn a_sheet_is_written_and_bad_arguments_are_told() {
    let place = Place::new();
    two_colours(&place, "images", 6);
    let spec = folder_spec("images");
    place.write("spec.yaml", spec);
    let list = "augmentation.train=[rotate: { degrees: 20 }, epochs: { from: 2, do: [invert: 1.0] }]";
    place
        .runner(&["augment", "spec.yaml", "--set", list, "--images", "2", "--epochs", "3", "--out", "sheet.png"])
        .assert()
        .success()
        .stdout("sheet.png: 4 rows, 2 images, epochs 1 to 3\n");
    let sheet = image::open(place.path().join("sheet.png")).unwrap();
    assert!(sheet.width() > 4 * 32 && sheet.height() > 4 * 32);

    let list = "augmentation.train=[one_of: [posterize: { bits: [0, 3] }]]";
    place
        .runner(&["augment", "spec.yaml", "--set", list, "--out", "other.png"])
        .assert()
        .code(2)
        .stderr(contains("[0, 3] is no range here").and(contains("1 <= least <= greatest <= 8")));
    place
        .runner(&["augment", "spec.yaml", "--skip", "1000", "--out", "other.png"])
        .assert()
        .code(2)
        .stderr(contains("none is left to show"));
    assert!(!place.path().join("other.png").exists());
}
