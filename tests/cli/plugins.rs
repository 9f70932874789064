//! Plugins that work: built, planned, trained, frozen, kept with the run.

use crate::plugin_support::{
    GATE, PLAIN, POINTWISE, complaint, faulty_library, has_cc, on_generated, place_with, pointwise, values,
};
use crate::support::{Place, of_kind, tensors, two_colours};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// A net with a gated sum: what comes out of the first convolution joins what the second makes of it.
const GATED: &str = r"name: gated
seed: 3
plugins: [gate.c]
data:
  source: { folder: images }
  image: { size: 16 }
  batch: 16
layers:
  - conv2d: { out: 8, kernel: 3, stride: 2, padding: 1 }
  - batch_norm
  - relu
  - conv2d: { out: 8, kernel: 3, padding: 1 }
  - gate: { with: [2], scale: 0.5 }
  - relu
head:
  - global_avg_pool
  - linear: { out: classes }
schedule:
  optimizer: { sgd: { momentum: 0.0, weight_decay: 0.1 } }
  phases:
    - { name: head, epochs: 1, train: [head], lr: 1e-1 }
    - { name: gate, epochs: 1, train: [layers.4, head], lr: 1e-1 }
    - { name: rest, epochs: 1, train: [layers.3], lr: 1e-1 }
";

/// A place with images and `gate.c`.
fn gated() -> Place {
    let place = place_with(POINTWISE);
    place.write("gate.c", GATE);
    place
}

/// `GATED` with the phases that are named.
fn phases(names: &[&str]) -> String {
    let phase = |line: &&str| match line.split_once("{ name: ") {
        Some((_, rest)) => names.iter().any(|name| rest.starts_with(name)),
        None => true,
    };
    GATED.lines().filter(phase).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_plugin_compiles_against_the_header_alone() {
    if !has_cc() {
        return;
    }
    let place = gated();
    let header = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/abi/runner_plugin.h");
    fs::create_dir(place.path().join("include")).unwrap();
    fs::copy(header, place.path().join("include/runner_plugin.h")).unwrap();
    for name in ["gate", "plugin"] {
        let strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC", "-I", "include"];
        let (source, library) = (format!("{name}.c"), format!("{name}.so"));
        let mut cc = Command::new("cc");
        cc.current_dir(place.path()).args(strict).args([&source, "-o", &library]);
        let output = cc.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    place.train(&phases(&["gate"]).replace("gate.c", "gate.so"), "run", &[]);
    let events = place.events("run");
    assert_eq!(events[0]["plugins"][0]["name"], "gate");
    assert_eq!(events.last().unwrap()["event"], "run_finished");
}

#[test]
fn a_plugins_parameter_is_in_the_plan() {
    if !has_cc() {
        return;
    }
    let place = Place::new();
    place.write("gate.c", GATE);
    place.write("spec.yaml", on_generated(GATED));
    let output = place.runner(&["plan", "spec.yaml"]).assert().success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    insta::with_settings!({ filters => vec![("sha256 [0-9a-f]{64}", "sha256 SHA256")] }, {
        insta::assert_snapshot!(text);
    });

    let output = place.runner(&["plan", "spec.yaml", "--json"]).assert().success();
    let plan: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let plugin = &plan["plugins"][0];
    assert_eq!((&plugin["name"], &plugin["version"]), (&json!("gate"), &json!("1.2.3")));
    assert_eq!((&plugin["path"], &plugin["layers"]), (&json!("gate.c"), &json!(["gate"])));
    assert!(text.contains(plugin["sha256"].as_str().unwrap()));
    let stage = &plan["stages"][4];
    assert_eq!((&stage["parameters"], &stage["layers"]), (&json!(8), &json!({ "gate": 1 })));
    let head = 8 * 3 + 3;
    assert_eq!((&plan["phases"][0]["trainable"], &plan["phases"][1]["trainable"]), (&json!(head), &json!(head + 8)));
}

#[test]
fn the_plan_for_a_gpu_counts_copies_for_layers_that_run_on_the_host_alone() {
    if !has_cc() {
        return;
    }
    let place = Place::new();
    place.write("gate.c", GATE);
    place.write(
        "both.c",
        GATE.replace(".devices = RUNNER_DEVICE_CPU", ".devices = RUNNER_DEVICE_CPU | RUNNER_DEVICE_CUDA"),
    );
    place.write("spec.yaml", on_generated(GATED));
    let told = |device: &str, plugins: &str| {
        let set = [format!("device={device}"), format!("plugins={plugins}")];
        let output = place.runner(&["plan", "spec.yaml", "--set", &set[0], "--set", &set[1]]).assert().success();
        let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
        // 512 values an input and output: the two inputs thrice, the output twice, for 16 images.
        let copies = "layers of plugins run on the host (layers.4): a training step copies up to 256 KiB from";
        (text.contains(copies), text.contains("takes tensors on the GPU: gate"), text.contains("run on the host"))
    };
    assert_eq!(told("cuda", "[gate.c]"), (true, false, true));
    assert_eq!(told("cuda", "[both.c]"), (false, true, false));
    assert_eq!(told("cuda", "{ load: [both.c], guard: true }"), (true, false, true));
    assert_eq!(told("cpu", "[both.c]"), (false, false, false));
}

#[test]
fn a_plugins_parameter_moves_where_its_stage_trains_and_nowhere_else() {
    if !has_cc() {
        return;
    }
    let place = gated();
    // The same run, left off one phase earlier or later: what is before is the same.
    for (run, names) in [("one", &["head"][..]), ("two", &["head", "gate"]), ("three", &["head", "gate", "rest"])] {
        place.train(&phases(names), run, &[]);
    }
    let scale = |run: &str| values(&place, &format!("{run}/checkpoints/last.safetensors"), "layers.4.scale");
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert_eq!(scale("one"), [0.5; 8], "frozen from the start");
    assert!(scale("two").iter().all(|scale| *scale != 0.5 && (scale - 0.5).abs() < 0.3), "{:?}", scale("two"));
    assert_eq!(bits(scale("three")), bits(scale("two")), "frozen again");
    let second = |run: &str| values(&place, &format!("{run}/checkpoints/last.safetensors"), "layers.3.weight");
    assert_ne!(second("three"), second("two"), "what the last phase trains lies before the gate");

    let events = place.events("three");
    let hashes = |kind: &'static str| {
        of_kind(&events, kind).map(|event| event["frozen_hash"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(hashes("phase_started"), hashes("phase_finished"));

    let output = place.runner(&["inspect", "three/checkpoints/best.safetensors", "--json"]).assert().success();
    let contents: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let tensors = contents["tensors"].as_array().unwrap();
    let tensor = tensors.iter().find(|tensor| tensor["name"] == "layers.4.scale").unwrap();
    assert_eq!(tensor["shape"], json!([8]));
}

#[test]
fn weight_decay_moves_a_plugins_parameter_where_the_plugin_says_so() {
    if !has_cc() {
        return;
    }
    let place = gated();
    // One step: 56 images of the training split in one batch.
    let spec = phases(&["gate"]).replace("batch: 16", "batch: 80");
    place.train(&spec, "without", &[]);
    place.train(&spec.replace("scale: 0.5", "scale: 0.5, decay: true"), "with", &[]);
    assert_eq!(place.events("with").last().unwrap()["event"], "run_finished");
    assert_eq!(of_kind(&place.events("with"), "epoch_finished").next().unwrap()["step"], 1);
    let scale = |run: &str| values(&place, &format!("{run}/checkpoints/last.safetensors"), "layers.4.scale");
    // SGD: the rate times the decay times the value.
    let by_decay = 0.1 * 0.1 * 0.5;
    for (without, with) in scale("without").iter().zip(scale("with")) {
        assert!((without - with - by_decay).abs() < 1e-6, "{without} and {with}");
    }
}

#[test]
fn a_run_keeps_its_plugins() {
    if !has_cc() {
        return;
    }
    let place = gated();
    place.train(&phases(&["head", "gate"]), "run", &[]);
    let kept: Vec<_> = fs::read_dir(place.path().join("run/plugins")).unwrap().collect();
    assert_eq!(kept.len(), 1);
    let sha256 = place.events("run")[0]["plugins"][0]["sha256"].as_str().unwrap().to_owned();
    let name = format!("gate-{}.{}", &sha256[..12], std::env::consts::DLL_EXTENSION);
    assert_eq!(kept[0].as_ref().unwrap().file_name(), name.as_str());

    // Another layer under its name, no other copy, and nothing to build with.
    place.write("gate.c", pointwise(&[("NAME \"plain\"", "NAME \"gate\"")]));
    fs::remove_dir_all(place.path().join("cache")).unwrap();
    fs::remove_dir_all(place.path().join("target")).unwrap();
    for is_there in [true, false] {
        if !is_there {
            fs::remove_file(place.path().join("gate.c")).unwrap();
        }
        let output = place.runner(&["evaluate", "run", "--json"]).env("PATH", "").assert().success();
        let scores: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        assert_eq!(scores["scores"], place.events("run").last().unwrap()["test"]);
        place.runner(&["predict", "run", "images/red/0.jpg"]).env("PATH", "").assert().success();
    }

    // Kept as it was, or not used at all.
    let kept = kept[0].as_ref().unwrap().path();
    fs::write(&kept, "something else").unwrap();
    let (code, said) = complaint(&place, &["evaluate", "run"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("is pinned") && said.contains("resolved.yaml:"), "{said}");
}

#[test]
fn a_plugins_relu_trains_as_the_built_in_does_to_the_last_bit() {
    if !has_cc() {
        return;
    }
    let place = place_with(&pointwise(&[
        ("NAME \"plain\"", "NAME \"plugin_relu\""),
        ("F(x) (x)", "F(x) ((x) <= 0.0f ? 0.0f : (x))"),
        ("SLOPE(x) 1.0f", "SLOPE(x) ((x) <= 0.0f ? 0.0f : 1.0f)"),
    ]));
    // After a convolution; after a batch norm and an addition, within which the built-in one runs.
    let layers = "  - conv2d: { out: 8, kernel: 3, stride: 2, padding: 1 }\n  - RELU\n  - conv2d: { out: 8, kernel: 3, \
                  padding: 1 }\n  - batch_norm\n  - RELU\n  - conv2d: { out: 8, kernel: 3, padding: 1 }\n  - add: { \
                  with: [1] }\n  - RELU\n";
    let begin = PLAIN.split("  - conv2d").next().unwrap();
    let end = &PLAIN[PLAIN.find("head:").unwrap()..];
    let spec = format!("{begin}{layers}{end}");
    for (run, relu) in [("built_in", "relu"), ("plugin", "plugin_relu")] {
        place.train(&spec.replace("RELU", relu), run, &["--set", "schedule.phases.0.epochs=3"]);
    }
    let epochs = |run: &str| {
        let kept = ["train_loss", "train_accuracy", "val", "largest_gradient"];
        of_kind(&place.events(run), "epoch_finished")
            .map(|event| kept.map(|key| event[key].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(epochs("built_in").len(), 3);
    assert_eq!(epochs("built_in"), epochs("plugin"));
    // Weights, running statistics, the optimizer's moments.
    for name in ["last", "best"] {
        let file = |run: &str| tensors(&place.path().join(format!("{run}/checkpoints/{name}.safetensors")));
        assert!(file("built_in") == file("plugin"), "{name}");
    }
    assert_eq!(
        fs::read(place.path().join("built_in/predictions.csv")).unwrap(),
        fs::read(place.path().join("plugin/predictions.csv")).unwrap()
    );
}

/// From where to where the values went in each call of a function that `plain` told of.
fn moves<'a>(said: &'a str, function: &str) -> Vec<(&'a str, &'a str)> {
    let told = |line: &'a str| line.split_once(&format!("{function}: "))?.1.split_once(" -> ");
    said.lines().filter_map(told).collect()
}

#[test]
fn tensors_cross_the_border_without_a_copy() {
    if !has_cc() {
        return;
    }
    let place = place_with(POINTWISE);
    let spec = PLAIN.replace("  - plain\n", "  - plain\n  - plain\n");
    for (run, guard) in [("run", false), ("guarded", true)] {
        place.write("spec.yaml", spec.replace("[plugin.c]", &format!("{{ load: [plugin.c], guard: {guard} }}")));
        let mut runner = place.runner(&["spec.yaml", "--run-dir", run]);
        let output = runner.env("RUST_LOG", "runner::plugin=info").assert().success();
        let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        for function in ["forward", "backward"] {
            let moves = moves(&said, function);
            // Two layers, eight steps; the evaluations besides, forward.
            assert!(moves.len() >= 2 * 8 && moves.len().is_multiple_of(2), "{said}");
            // What one layer writes, the next reads in place. Guard copies, and a copy may by chance lie
            // where the one before it was, but not each time.
            let in_place = moves.chunks_exact(2).all(|pair| pair[0].1 == pair[1].0);
            assert_eq!(in_place, !guard, "{function}: {moves:?}");
            assert!(moves.iter().all(|(from, to)| from != to), "{function}: {moves:?}");
        }
    }
}

#[test]
fn scratch_counts_as_memory_in_the_plan() {
    if !has_cc() {
        return;
    }
    let place = Place::new();
    place.write("spec.yaml", on_generated(PLAIN));
    let activations = |plugin: &str| {
        place.write("plugin.c", plugin);
        let output = place.runner(&["plan", "spec.yaml", "--json"]).assert().success();
        let plan: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        plan["phases"][0]["memory"]["activations"].as_u64().unwrap()
    };
    let with_scratch = pointwise(&[
        ("    .forward = forward,\n", "    .scratch_bytes = scratch_bytes,\n    .forward = forward,\n"),
        (
            "static runner_status forward(",
            "static uint64_t scratch_bytes(void *self, const runner_shape *const *inputs, size_t count, int64_t batch) {\n\
             (void)self, (void)inputs, (void)count; return 40000 * (uint64_t)batch; }\n\
             static runner_status forward(",
        ),
    ]);
    assert_eq!(activations(&with_scratch) - activations(POINTWISE), 16 * 40_000);
}

#[test]
fn plugins_are_put_into_backbones() {
    if !has_cc() {
        return;
    }
    let place = Place::new();
    place.write("plugin.c", POINTWISE);
    let backbone =
        "backbone:\n  arch: resnet18\n  insert: { after: layer3, layer: plain }\n  replace: { maxpool: plain }\n";
    let (begin, end) = (PLAIN.split("layers:").next().unwrap(), &PLAIN[PLAIN.find("schedule:").unwrap()..]);
    place.write("spec.yaml", on_generated(&format!("{begin}{backbone}{end}")).replace("size: 16", "size: 32"));
    let output = place.runner(&["plan", "spec.yaml", "--json"]).assert().success();
    let plan: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let changes: Vec<(&Value, &Value, &Value)> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (&change["name"], &change["layer"], &change["output"]))
        .collect();
    assert_eq!(
        changes,
        [
            (&json!("maxpool"), &json!("plain"), &json!([16, 16, 64])),
            (&json!("layer3.plain"), &json!("plain"), &json!([4, 4, 256]))
        ]
    );
}

#[test]
fn plugins_can_be_set_on_the_command_line() {
    if !has_cc() {
        return;
    }
    let place = place_with(POINTWISE);
    place.write("other.c", pointwise(&[("/* forward */", "return runner_fail(host, sink, \"the other one\");")]));
    place.write("spec.yaml", PLAIN);
    let (code, said) = complaint(&place, &["spec.yaml", "--run-dir", "other", "--set", "plugins=[other.c]"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("the other one"), "{said}");
    let guarded = "plugins={ load: [{ path: plugin.c }], guard: true }";
    place.train(PLAIN, "guarded", &["--set", guarded]);
    place.train(PLAIN, "unguarded", &[]);
    let checkpoint = |run: &str| tensors(&place.path().join(run).join("checkpoints/last.safetensors"));
    assert!(checkpoint("guarded") == checkpoint("unguarded"), "watching changes nothing");
}

#[test]
fn a_crate_is_built_and_its_layer_trains() {
    let place = Place::new();
    two_colours(&place, "images", 40);
    let library = faulty_library().display().to_string();
    let never = "faulty: { at: forward, how: panic, after: 1000000 }";
    let spec = PLAIN.replace("plugin.c", &library).replace("- plain", &format!("- {never}"));
    place.train(&spec, "run", &[]);
    place.train(&spec.replace(&format!("  - {never}\n"), "  - dropout: 0.0\n"), "without", &[]);
    let losses = |run: &str| {
        of_kind(&place.events(run), "epoch_finished").map(|event| event["train_loss"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(losses("run"), losses("without"), "it hands its input on");
}
