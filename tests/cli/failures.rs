//! Runs that cannot go on: they say why, and keep what there is.

use crate::support::{Place, SMALL, folder_spec, of_kind, two_colours};
use predicates::str::contains;
use std::fs;

#[test]
fn a_loss_that_is_no_number_names_step_group_and_remedy() {
    let place = Place::new();
    place.write("spec.yaml", SMALL.replace("lr: 1e-2", "lr: 1e25").replace("epochs: 2", "epochs: 3"));
    place
        .runner(&["spec.yaml", "--run-dir", "run"])
        .assert()
        .code(1)
        .stderr(contains("the loss became"))
        .stderr(contains("first in the output of `layers.3` (conv2d)"))
        .stderr(contains("phase `all`"))
        .stderr(contains("clip_grad_norm"));
    let events = place.events("run");
    assert_eq!(events.last().unwrap()["event"], "run_failed");
    assert!(events.last().unwrap()["reason"].as_str().unwrap().contains("step"));
}

#[test]
fn the_last_good_checkpoint_outlives_a_loss_that_is_no_number() {
    let place = Place::new();
    let spec = SMALL.replace(
        "- { name: head, epochs: 1, train: [head], lr: 1e-3 }",
        "- { name: wild, epochs: 2, train: [\"*\"], lr: 1e25 }",
    );
    place.write("spec.yaml", &spec);
    place.runner(&["spec.yaml", "--run-dir", "run"]).assert().code(1).stderr(contains("group `*`"));
    place.runner(&["evaluate", "run"]).assert().success().stdout(contains("accuracy"));
}

#[test]
fn bad_images_are_named_and_left_out() {
    let place = Place::new();
    two_colours(&place, "images", 40);
    place.write("images/red/empty.jpg", b"");
    place.write("images/blue/not_an_image.png", b"hello");
    let whole = crate::support::jpeg(1, 2, 3, 4);
    place.write("images/red/truncated.jpg", &whole[..whole.len() / 3]);
    place.write("spec.yaml", folder_spec("images"));

    // Three of 83 are more than 1 %.
    place
        .runner(&["spec.yaml", "--run-dir", "refused"])
        .assert()
        .code(1)
        .stderr(contains("empty.jpg"))
        .stderr(contains("max_bad"));
    assert!(!place.path().join("refused/checkpoints/last.safetensors").exists());

    let output = place.runner(&["spec.yaml", "--run-dir", "run", "--set", "data.max_bad=0.1"]).assert().success();
    let stdout = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    for name in ["empty.jpg", "not_an_image.png", "truncated.jpg"] {
        assert!(stdout.contains(name), "{stdout}");
    }
    let events = place.events("run");
    assert_eq!(events[0]["bad_images"].as_array().unwrap().len(), 3);
    let samples = &events[0]["samples"];
    let total: u64 = ["train", "val", "test"].iter().map(|split| samples[split].as_u64().unwrap()).sum();
    assert_eq!(total, 80);
}

#[test]
fn a_run_directory_in_use_is_refused() {
    let place = Place::new();
    place.write("run/precious.txt", "mine");
    place.write("spec.yaml", SMALL);
    place.runner(&["spec.yaml", "--run-dir", "run"]).assert().code(2).stderr(contains("--run-dir run"));
    assert_eq!(fs::read_to_string(place.path().join("run/precious.txt")).unwrap(), "mine");
}

#[test]
fn a_gpu_without_the_feature_says_how_to_build_it() {
    if cfg!(feature = "cuda") {
        return;
    }
    let place = Place::new();
    place.write("spec.yaml", SMALL.replace("seed: 3", "device: cuda"));
    place.runner(&["spec.yaml"]).assert().code(1).stderr(contains("--features cuda"));
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let place = Place::new();
    place.train(SMALL, "run", &["--set", "schedule.phases.0.epochs=1"]);
    let path = place.path().join("run/checkpoints/best.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let place_in_data = bytes.len() - 40;
    bytes[place_in_data] ^= 0x40;
    fs::write(&path, bytes).unwrap();
    place.runner(&["evaluate", "run"]).assert().code(1).stderr(contains("damaged"));
    assert!(of_kind(&place.events("run"), "run_finished").count() == 1);
}
