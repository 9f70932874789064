//! An autoencoder, and a classifier that starts from its encoder: the pair of pipelines that ships, in small.

use crate::support::{Place, of_kind, repository};
use predicates::str::contains;
use serde_json::Value;
use std::fs;

/// The pipeline of this name, with small images.
fn pipeline(name: &str) -> String {
    let text = fs::read_to_string(repository("pipelines/autoencoder").join(name)).unwrap();
    text.replace("image: { size: 48 }", "image: { size: 16 }")
}

fn ledger(place: &Place, run: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(place.path().join(run).join("weights.json")).unwrap()).unwrap()
}

#[test]
fn what_an_autoencoder_learns_is_where_a_classifier_starts_from() {
    let place = Place::new();
    place.write("pretrain.yaml", pipeline("pretrain.yaml"));
    place.write("classify.yaml", pipeline("classify.yaml"));
    place
        .runner(&["check", "classify.yaml"])
        .assert()
        .code(2)
        .stderr(contains("there is no run `autoencoder`"))
        .stderr(contains("train that pipeline first"));

    let set = ["--set", "schedule.phases.0.epochs=2"];
    let output =
        place.runner(&[&["pretrain.yaml", "--run-dir", "runs/autoencoder/one"], &set[..]].concat()).assert().success();
    let stdout = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(!stdout.contains("acc") && stdout.contains("test loss"), "{stdout}");
    let events = place.events("runs/autoencoder/one");
    let epochs: Vec<_> = of_kind(&events, "epoch_finished").collect();
    assert!(epochs[1]["train_loss"].as_f64() < epochs[0]["train_loss"].as_f64());
    assert_eq!(epochs[0]["val"].as_object().unwrap().keys().collect::<Vec<_>>(), ["loss"]);
    assert_eq!(epochs[0].get("train_accuracy"), None);
    assert!(place.path().join("runs/autoencoder/one/reconstructions.csv").is_file());
    assert!(!place.path().join("runs/autoencoder/one/predictions.csv").exists());

    let output = place.runner(&["evaluate", "runs/autoencoder/one", "--json"]).assert().success();
    let again: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(again["scores"], events.last().unwrap()["test"]);
    let predict = place.runner(&["predict", "runs/autoencoder/one", "x.png"]).assert().code(1);
    predict.stderr(contains("is an autoencoder, which says nothing of classes"));

    let loaded = place.runner(&["inspect", "--loaded", "classify.yaml"]).assert().success();
    loaded
        .stdout(contains("layers.0.weight        encoder.0.weight"))
        .stdout(contains("matched 15 of 15 parameters (runner's names)"));
    let set = [set[0], "schedule.phases.0.epochs=1", "--set", "schedule.phases.1.epochs=1"];
    place.runner(&[&["classify.yaml", "--run-dir", "classified"], &set[..]].concat()).assert().success();
    let weights = place.events("classified")[0]["weights"].as_str().unwrap().to_owned();
    assert!(weights.contains("runs/autoencoder/one/checkpoints/best.safetensors: matched 15 of 15"), "{weights}");

    // What is loaded is the encoder's last value, what is frozen stays it, and the head moves.
    let (before, after) = (ledger(&place, "runs/autoencoder/one"), ledger(&place, "classified"));
    let resolved = fs::read_to_string(place.path().join("classified/resolved.yaml")).unwrap();
    assert!(
        resolved.contains(&format!("run: {}/runs/autoencoder/one", place.path().canonicalize().unwrap().display())),
        "{resolved}"
    );
    for (place, entry) in after["tensors"].as_array().unwrap().iter().enumerate() {
        let name = entry["name"].as_str().unwrap();
        if name.starts_with("layers.") {
            assert_eq!(entry["from"], before["tensors"][place]["name"]);
            assert_ne!(entry["loaded"], entry["drawn"], "{name}");
            assert_eq!(entry["loaded"], entry["first_step"], "{name} is frozen");
        } else {
            assert_eq!(entry["first_phase"], "trains");
            assert_ne!(entry["loaded"], entry["first_step"], "{name}");
        }
    }
    assert_eq!(before["file"], Value::Null);
    assert!(before["tensors"].as_array().unwrap().iter().all(|entry| entry["first_step"] != entry["loaded"]));
}

#[test]
fn images_without_labels_are_enough_for_an_autoencoder() {
    let place = Place::new();
    for number in 0..12 {
        place.write(&format!("images/{}/{number}.jpg", number % 2), crate::support::jpeg(90, 20 * number, 160, number));
    }
    place.write("images/10.jpg", crate::support::jpeg(9, 9, 9, 9));
    let spec = pipeline("pretrain.yaml").replace("source: { synthetic: blood_cells }", "source: { images: images }");
    place.write("spec.yaml", spec);
    let set = ["--set", "schedule.phases.0.epochs=1", "--set", "data.batch=4"];
    place
        .runner(&[&["spec.yaml", "--run-dir", "run"], &set[..]].concat())
        .assert()
        .success()
        .stdout(contains("images (13 images)"));
    place.runner(&["evaluate", "run", "--data", "images"]).assert().success().stdout(contains("13 images of images"));
    place
        .runner(&["check", "spec.yaml", "--set", "task=classify", "--set", "decoder=null"])
        .assert()
        .code(2)
        .stderr(contains("these images have no labels"));
}

#[test]
fn arrays_of_many_channels_are_trained_on() {
    let place = Place::new();
    place.write("cells.npz", npz(4));
    let spec = "\
name: many
data: { source: { npz: cells.npz }, image: { size: 8, channels: 4 }, batch: 4 }
layers: [conv2d: { out: 4, kernel: 3 }, relu]
head: [global_avg_pool, linear: { out: classes }]
augmentation: { train: [horizontal_flip: 0.5, cutout: { size: 0.3 }] }
schedule: { phases: [{ name: all, epochs: 1, train: ['*'], lr: 1e-2 }] }
";
    place.train(spec, "run", &[]);
    place.runner(&["evaluate", "run"]).assert().success();
    place.runner(&["predict", "run", "x.png"]).assert().code(1).stderr(contains("images of 4 channels"));
    place
        .runner(&[
            "check",
            "spec.yaml",
            "--set",
            "data.image.channels=rgb",
            "--set",
            "augmentation.train.0=hue_saturation",
        ])
        .assert()
        .code(2)
        .stderr(contains("the images of cells.npz have 4 channels, not 3"))
        .stderr(contains("write `channels: 4`"));
    place
        .runner(&["check", "spec.yaml", "--set", "augmentation.train.0=hue_saturation"])
        .assert()
        .code(2)
        .stderr(contains("`hue_saturation` is made for grey and RGB images, not for 4 channels"));
}

/// Two classes of images of 8x8 pixels: twelve that train, four to validate and to test.
fn npz(channels: usize) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (split, count) in [("train", 12), ("val", 4), ("test", 4)] {
        let pixels: Vec<u8> = (0..count * 64 * channels).map(|i| (i * 37 % 251) as u8).collect();
        let labels: Vec<u8> = (0..count).map(|i| (i % 2) as u8).collect();
        for (what, shape, bytes) in
            [("images", format!("({count}, 8, 8, {channels})"), pixels), ("labels", format!("({count},)"), labels)]
        {
            zip.start_file(format!("{split}_{what}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
            let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
            let padded = format!("{header:<width$}\n", width = (10 + header.len() + 1).next_multiple_of(64) - 11);
            zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
            zip.write_all(&(padded.len() as u16).to_le_bytes()).unwrap();
            zip.write_all(padded.as_bytes()).unwrap();
            zip.write_all(&bytes).unwrap();
        }
    }
    zip.finish().unwrap().into_inner()
}
