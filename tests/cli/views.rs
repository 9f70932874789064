//! Test-time augmentation.

use crate::support::{Place, folder_spec, of_kind, two_colours};
use image::{Rgb, RgbImage, imageops};
use serde_json::Value;
use std::fs;

fn probability(place: &Place, run: &str, image: &str) -> f64 {
    let output = place.runner(&["predict", run, image, "--json"]).assert().success();
    let line: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    line["probabilities"]["red"].as_f64().unwrap()
}

#[test]
fn probabilities_are_the_mean_of_an_image_and_its_mirror_image() {
    let place = Place::new();
    two_colours(&place, "images", 15);
    let spec = folder_spec("images");
    let shown = place.train(&spec, "run", &["--set", "schedule.phases.0.epochs=1"]);
    assert!(!shown.contains("mean of views"));

    let image = RgbImage::from_fn(24, 24, |x, y| Rgb([(x * 10) as u8, (y * 10) as u8, (x * y % 250) as u8]));
    image.save(place.path().join("one.png")).unwrap();
    imageops::flip_horizontal(&image).save(place.path().join("mirrored.png")).unwrap();
    let (one, mirrored) = (probability(&place, "run", "one.png"), probability(&place, "run", "mirrored.png"));
    assert!((one - mirrored).abs() > 1e-4, "a net to which both are the same shows nothing: {one} {mirrored}");

    let views = "augmentation:\n  test: { views: 2, do: [horizontal_flip: 1.0] }\n";
    let with_views = spec.replace("augmentation:\n", views);
    let shown = place.train(&with_views, "views", &["--set", "schedule.phases.0.epochs=1"]);
    assert!(shown.contains("  mean of views  accuracy ") && shown.contains("  one view       accuracy "), "{shown}");
    let both = probability(&place, "views", "one.png");
    assert!((both - f64::midpoint(one, mirrored)).abs() < 1e-6, "{both} is not the mean of {one} and {mirrored}");

    // Training does not look at views, and one view is what was tested without.
    let finished = |run: &str| of_kind(&place.events(run), "run_finished").next().unwrap().clone();
    assert_eq!(finished("views")["test_one_view"], finished("run")["test"]);
    assert_ne!(finished("views")["test"]["loss"], finished("run")["test"]["loss"]);
    assert_eq!(finished("run").get("test_one_view"), None);
    let metrics: Value = serde_json::from_slice(&fs::read(place.path().join("views/metrics.json")).unwrap()).unwrap();
    assert_eq!(metrics["test_one_view"], finished("run")["test"]);

    let again = place.runner(&["evaluate", "views", "--json"]).assert().success();
    let again: Value = serde_json::from_slice(&again.get_output().stdout).unwrap();
    assert_eq!(again["scores"], finished("views")["test"]);
    assert_eq!(again["scores_one_view"], finished("run")["test"]);
}
