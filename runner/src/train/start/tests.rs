//! Whole specs: where their weights come from, and that they are in effect.

use super::*;
use crate::data::{Batch, DataFacts};
use crate::engine::KernelSet;
use crate::engine::device::open_cpu;
use crate::layers::Shape;
use crate::net::Net;
use crate::spec::{self, Problems};
use crate::train::evaluate::logits;
use crate::train::proof::{Role, hash};
use crate::weights::layout;
use crate::weights::save::{NamedTensor, Precision, save};
use std::collections::BTreeMap;
use std::path::Path;

const ENCODER: &str = "\
layers:
  - conv2d: { out: 4, kernel: 3, stride: 2, padding: 1 }
  - batch_norm
  - relu
";

const DECODER: &str = "\
task: reconstruct
decoder:
  - upsample: { factor: 2 }
  - conv2d: { out: 3, kernel: 3, padding: 1 }
";

const HEAD: &str = "head: [global_avg_pool, linear: { out: classes }]\n";

fn plan(dir: &Path, net: &str, train: &str) -> Result<Plan, Problems> {
    plan_of(dir, "{ size: 8 }", net, train)
}

fn plan_of(dir: &Path, image: &str, net: &str, train: &str) -> Result<Plan, Problems> {
    let text = format!(
        "name: net\ndata: {{ source: {{ synthetic: blood_cells }}, image: {image} }}\n{net}\
         schedule: {{ phases: [{{ name: a, epochs: 1, train: {train}, lr: 1 }}] }}\n"
    );
    let loaded = spec::load_text("net.yaml", &text, dir, &[]).unwrap_or_else(|error| panic!("{error}"));
    let classes = ["a", "b"].map(str::to_owned).to_vec();
    let facts = DataFacts { classes, samples: None, description: String::new(), fallback: false };
    Plan::over(&loaded.pipeline, &loaded.dir, facts)
}

fn told(plan: Result<Plan, Problems>) -> Vec<String> {
    let problems = plan.map(|plan| plan.graph.nodes.len()).unwrap_err().0;
    problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

/// The values that a plan starts from, with every one of `change`'s tensor changed, as a file.
fn write(plan: &Plan, path: &Path, changed: Option<&str>) {
    let start = Start::of(plan).unwrap();
    let tensors: Vec<NamedTensor> = plan
        .graph
        .params
        .iter()
        .zip(&start.values)
        .enumerate()
        .map(|(id, (param, values))| {
            // No two tensors are alike, and none is as it is drawn.
            let by = if changed == Some(&param.name) { 1.5 } else { 0.25 };
            let values: Vec<f32> = values.iter().map(|value| value + by + id as f32 / 64.0).collect();
            NamedTensor::of_param(param, &values)
        })
        .collect();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    save(path, &tensors, &BTreeMap::new(), Precision::Float32).unwrap();
}

/// A finished run of an autoencoder, and its plan.
fn run(dir: &Path, net: &str) -> Plan {
    let plan = plan(dir, net, "['*']").unwrap();
    let run = dir.join("runs/ae/1");
    write(&plan, &run.join("checkpoints/best.safetensors"), None);
    std::fs::write(run.join("resolved.yaml"), "").unwrap();
    std::fs::write(run.join("events.jsonl"), r#"{"event":"run_finished","time":"2026-01-01T00:00:00Z"}"#).unwrap();
    plan
}

fn output(plan: &Plan) -> Vec<f32> {
    let device = open_cpu().unwrap();
    let params = Start::of(plan).unwrap().params(&device, &plan.graph).unwrap();
    let Shape::Image { height, width, channels } = plan.graph.input else { panic!() };
    let images = (0..height * width * channels).map(|i| (i as f32 * 0.37).sin()).collect();
    let dims = [1, height, width, channels];
    let batch = Batch { images, dims, labels: vec![0], targets: Vec::new(), samples: vec![0], features: None };
    logits(&device, &Net { graph: plan.graph.clone(), params }, &batch, KernelSet::default()).unwrap()
}

#[test]
fn an_autoencoder_is_named_by_its_parts() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(dir.path(), &format!("{ENCODER}{DECODER}"), "[encoder]").unwrap();
    assert_eq!(plan.graph.output(), plan.graph.input);
    let names: Vec<&str> = plan.graph.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["encoder.0", "encoder.1", "encoder.2", "decoder.0", "decoder.1"]);
    assert_eq!(plan.phases[0].trainable_values(&plan.graph), 4 * 27 + 4 + 8);

    let net = format!("backbone: {{ arch: resnet18, insert: {{ after: layer4, layer: relu }} }}\n{DECODER}");
    let net = net.replace("factor: 2", "factor: 32");
    let plan = plan_of(dir.path(), "{ size: 32 }", &net, "[encoder.layer4, decoder]").unwrap();
    assert_eq!(plan.graph.params[0].name, "encoder.conv1.weight");
    assert!(plan.graph.node_named("encoder.layer4.relu").is_some());
    let all = plan_of(dir.path(), "{ size: 32 }", &net, "[encoder]").unwrap();
    assert_eq!(all.phases[0].trainable_values(&all.graph), 11_176_512);
}

#[test]
fn a_decoder_that_gives_something_else_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let with =
        |old: &str, new: &str| told(plan(dir.path(), &format!("{ENCODER}{}", DECODER.replace(old, new)), "[decoder]"));
    assert_eq!(with("out: 3", "out: 1"), ["decoder.1: the decoder gives 8x8x1, and the images are 8x8x3"]);
    assert_eq!(with("factor: 2", "factor: 3"), ["decoder.1: the decoder gives 12x12x3, and the images are 8x8x3"]);
    let flat = with("upsample: { factor: 2 }", "unflatten: { channels: 1, size: 8 }");
    assert_eq!(flat.len(), 1, "{flat:?}");
    assert!(flat[0].starts_with("decoder.0: `decoder.0` (unflatten) does not fit its input of 4x4x4"), "{flat:?}");
}

#[test]
fn an_encoder_is_taken_from_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let autoencoder = run(dir.path(), &format!("{ENCODER}{DECODER}"));
    let weights = "weights: { run: ae, take: encoder.* }\n";
    let plan = plan(dir.path(), &format!("{ENCODER}{HEAD}{weights}"), "[head]").unwrap();
    let report = plan.weights.as_ref().unwrap();
    assert_eq!(report.to_string(), "matched 6 of 6 parameters (runner's names)");
    assert_eq!(report.run.as_deref(), Some(dir.path().join("runs/ae/1").as_path()));
    assert_eq!(plan.warnings, Vec::<String>::new());

    let start = Start::of(&plan).unwrap();
    let mut file = WeightFile::open(&report.file).unwrap();
    for (entry, param) in start.ledger.tensors.iter().zip(&autoencoder.graph.params).take(6) {
        assert_eq!(entry.from.as_deref(), Some(param.name.as_str()));
        let values = file.read(&param.name).unwrap();
        // The hash is that of the file's own bytes.
        assert_eq!(entry.loaded, hash(param, &layout::to_memory(&param.def, &values)));
        assert_ne!(entry.loaded, entry.drawn, "{}", entry.name);
        assert_eq!(entry.first_phase, Role::Frozen);
    }
    let head = &start.ledger.tensors[6];
    assert_eq!((head.name.as_str(), &head.from, head.first_phase), ("head.1.weight", &None, Role::Trains));
    assert_eq!(head.loaded, head.drawn);
}

#[test]
fn every_loaded_tensor_is_in_effect() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("net.safetensors");
    let net = format!("{ENCODER}{HEAD}");
    let drawn = plan(dir.path(), &net, "['*']").unwrap();
    let loading = format!("{net}weights: net.safetensors\n");
    write(&drawn, &file, None);
    let plan = plan(dir.path(), &loading, "['*']").unwrap();
    assert_eq!(plan.weights.as_ref().unwrap().matched.len(), drawn.graph.params.len());
    let as_saved = output(&plan);
    assert_ne!(as_saved, output(&drawn));
    for param in &drawn.graph.params {
        write(&drawn, &file, Some(&param.name));
        assert_ne!(output(&plan), as_saved, "{} changes nothing", param.name);
    }
}

#[test]
fn gaps_between_a_run_and_the_net_are_told_and_only_named_ones_pass() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &format!("{ENCODER}{DECODER}"));
    let with =
        |encoder: &str, weights: &str| plan(dir.path(), &format!("{encoder}{HEAD}weights: {weights}\n"), "[head]");
    let other = ENCODER.replace("out: 4", "out: 5").replace("  - relu", "  - relu\n  - conv2d: { out: 2, kernel: 1 }");
    let taken = "run: ae, take: encoder.*";
    let gaps = told(with(&other, &format!("{{ {taken} }}")));
    assert!(gaps.contains(&"weights: `layers.3.weight` is missing from the file".to_owned()), "{gaps:?}");
    let shape = "weights: `layers.0.weight` is (5, 3, 3, 3) in the net, but (4, 3, 3, 3) in the file";
    assert!(gaps.contains(&shape.to_owned()), "{gaps:?}");
    with(&other, &format!("{{ {taken}, allow: {{ missing: [layers.3.*], shape: ['*'] }} }}")).unwrap();
    let less =
        told(with("layers: [conv2d: { out: 4, kernel: 3, stride: 2, padding: 1 }]\n", &format!("{{ {taken} }}")));
    assert_eq!(less[0], "weights: `encoder.1.weight` of the file is not in the net");
    assert_eq!(told(with(ENCODER, "{ run: ae }"))[0][..43], "weights: none of the file's 8 tensors is in"[..]);
    let none = told(with(ENCODER, "{ run: other, take: encoder.* }"));
    assert!(none[0].starts_with("weights.run: there is no run `other`"), "{none:?}");
    assert_eq!(
        told(with(ENCODER, "none.pth"))[0],
        format!("weights: there is no file {}", dir.path().join("none.pth").display())
    );
    let damaged = with(ENCODER, &format!("{{ {taken} }}")).unwrap();
    let file = &damaged.weights.as_ref().unwrap().file;
    let mut bytes = std::fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(file, bytes).unwrap();
    assert!(Start::of(&damaged).unwrap_err().to_string().contains("damaged"));
}

#[test]
fn an_autoencoder_goes_on_from_another() {
    let dir = tempfile::tempdir().unwrap();
    let net = format!("{ENCODER}{DECODER}");
    run(dir.path(), &net);
    let of = |weights: &str| plan(dir.path(), &format!("{net}weights: {weights}\n"), "['*']").unwrap().weights.unwrap();
    assert_eq!(of("{ run: ae }").to_string(), "matched 8 of 8 parameters (runner's names)");
    // The decoder is yours, as a head is.
    assert_eq!(of("{ run: ae, take: encoder.* }").to_string(), "matched 6 of 6 parameters (runner's names)");
}

fn lite0() -> String {
    let assets = concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines/assets/efficientnet_lite0.safetensors");
    format!("backbone: {{ arch: efficientnet_lite0, weights: {assets} }}\n")
}

#[test]
fn pretrained_weights_are_adapted_to_other_channels() {
    let dir = tempfile::tempdir().unwrap();
    let colour = Start::of(&plan_of(dir.path(), "{ size: 32 }", &lite0(), "[head]").unwrap()).unwrap();
    let three = &colour.values[0];
    for (image, adapt, said) in [
        ("{ size: 32, channels: gray }", "", "stem.conv.weight: adapted from 3 to 1 channels by sum"),
        ("{ size: 32, channels: 1 }", "mean", "stem.conv.weight: adapted from 3 to 1 channels by mean"),
    ] {
        let net =
            if adapt.is_empty() { lite0() } else { lite0().replace("weights:", "input: { adapt: mean }, weights:") };
        let plan = plan_of(dir.path(), image, &net, "[head]").unwrap();
        let report = plan.weights.as_ref().unwrap();
        assert_eq!(report.notes, [said]);
        assert_eq!(report.matched.len(), 245);
        let start = Start::of(&plan).unwrap();
        // In memory (3, 3, in, 32).
        for (at, value) in start.values[0].iter().enumerate() {
            let (tap, out) = (at / 32, at % 32);
            let sum: f32 = (0..3).map(|channel| three[(tap * 3 + channel) * 32 + out]).sum();
            let expected = if adapt.is_empty() { sum } else { sum / 3.0 };
            assert!((value - expected).abs() <= 1e-6 * (1.0 + expected.abs()), "{image} {at}");
        }
        assert_eq!(start.values[1..], colour.values[1..]);
        let by = if adapt.is_empty() { "sum" } else { "mean" };
        assert_eq!(start.ledger.tensors[0].adapted.as_deref(), Some(format!("3 to 1 channels by {by}").as_str()));
    }
}

#[test]
fn an_encoder_that_is_a_backbone_loads_its_file_and_gives_itself_away() {
    let dir = tempfile::tempdir().unwrap();
    let decoder = DECODER.replace("factor: 2", "factor: 32");
    let net = format!("{}{decoder}", lite0());
    let autoencoder = plan_of(dir.path(), "{ size: 32 }", &net, "[decoder]").unwrap();
    assert_eq!(autoencoder.weights.as_ref().unwrap().matched.len(), 245);
    assert_eq!(autoencoder.warnings, Vec::<String>::new());
    let run = dir.path().join("run");
    write(&autoencoder, &run.join("checkpoints/last.safetensors"), None);
    std::fs::write(run.join("resolved.yaml"), "").unwrap();
    for (task, take, matched) in [("", "take: encoder.*, ", 245), (decoder.as_str(), "", 247)] {
        let weights = format!("{{ run: run, {take}checkpoint: last }}");
        let net = format!("backbone: {{ arch: efficientnet_lite0, weights: {weights} }}\n{task}");
        let plan = plan_of(dir.path(), "{ size: 32 }", &net, "['*']").unwrap();
        assert_eq!(plan.weights.as_ref().unwrap().matched.len(), matched, "{take}");
        Start::of(&plan).unwrap();
    }
}
