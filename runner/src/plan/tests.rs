//! Whole specs: what is told of broken ones, and where.

use super::Plan;
use crate::data::DataFacts;
use crate::layers::Shape;
use crate::spec::{self, Problems};
use std::path::Path;

/// A spec that is fine, with places to put something else.
const NET: &str = "backbone: { arch: resnet18 }";
const HEAD: &str = "[global_avg_pool, linear: { out: classes }]";
const PHASES: &str = "phases: [{ name: a, epochs: 1, train: [head], lr: 1e-3 }]";

struct Spec {
    image: &'static str,
    net: &'static str,
    head: &'static str,
    schedule: &'static str,
}

impl Default for Spec {
    fn default() -> Self {
        Spec { image: "{ size: 64 }", net: NET, head: HEAD, schedule: PHASES }
    }
}

impl Spec {
    fn load(&self) -> spec::Loaded {
        let Spec { image, net, head, schedule } = self;
        let text = format!(
            "name: broken\ndata:\n  source: {{ synthetic: blood_cells }}\n  image: {image}\n{net}\nhead: {head}\nschedule: {{ {schedule} }}\n"
        );
        spec::load_text("broken.yaml", &text, Path::new("specs"), &[]).unwrap_or_else(|error| panic!("{error}"))
    }

    fn plan(&self) -> Result<Plan, Problems> {
        let loaded = self.load();
        let facts = DataFacts {
            classes: ["a", "b", "c"].map(str::to_owned).to_vec(),
            samples: None,
            description: "made up".to_owned(),
            fallback: false,
        };
        Plan::over(&loaded.pipeline, &loaded.dir, facts)
    }

    /// `PATH: MESSAGE` of each problem.
    fn problems(&self) -> Vec<String> {
        let problems = self.plan().map(|plan| plan.graph.nodes.len()).unwrap_err();
        problems.0.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
    }
}

#[test]
fn a_fine_spec_has_a_plan() {
    let plan = Spec::default().plan().unwrap();
    assert_eq!(plan.graph.output(), Shape::Features(3));
    assert_eq!(plan.phases[0].trainable_values(&plan.graph), 512 * 3 + 3);
    assert_eq!(plan.phases[0].frozen.iter().filter(|frozen| !**frozen).count(), 2);
    assert!(plan.warnings[0].starts_with("random weights"), "{:?}", plan.warnings);
}

#[test]
fn the_head_of_the_framework_stands_in_for_none() {
    let mut loaded = Spec::default().load();
    loaded.pipeline.head = None;
    let facts =
        DataFacts { classes: vec![String::new(); 5], samples: None, description: String::new(), fallback: false };
    let plan = Plan::over(&loaded.pipeline, &loaded.dir, facts).unwrap();
    assert_eq!(plan.graph.output(), Shape::Features(5));
}

#[test]
fn a_size_that_does_not_fit_names_the_layer_and_the_size() {
    let net = "backbone: { arch: inception_v3 }";
    assert_eq!(
        Spec { image: "{ size: 32 }", net, ..Spec::default() }.problems(),
        ["data.image.size: images of 32x32x3 do not fit `inception_v3`: `Mixed_6a.branch3x3.conv` (conv2d) does not \
          fit its input of 1x1x288: a window of 3x3 does not fit into an image of 1x1"]
    );
}

#[test]
fn layers_that_do_not_fit_are_pointed_at() {
    let net = "layers: [{ conv2d: { out: 4, kernel: 3 } }, { linear: { out: 3 } }]";
    let problems = Spec { net, ..Spec::default() }.problems();
    assert!(problems[0].starts_with("layers.1: `layers.1` (linear) does not fit"), "{problems:?}");

    let problems = Spec { head: "[linear: { out: classes }]", ..Spec::default() }.problems();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("head.0: `head.0` (linear) does not fit its input of 2x2x512"), "{problems:?}");

    let net = "layers: [relu, { add: { with: [3] } }]";
    let problems = Spec { net, ..Spec::default() }.problems();
    assert!(problems[0].starts_with("layers.1.add.with.0: "), "{problems:?}");
}

#[test]
fn the_output_is_one_value_a_class() {
    assert_eq!(
        Spec { head: "[global_avg_pool, linear: { out: 7 }]", ..Spec::default() }.problems(),
        ["head.1: the net has 7 outputs for 3 classes"]
    );
    assert_eq!(
        Spec { head: "[relu]", ..Spec::default() }.problems(),
        [
            "head.0: the net ends in an image of 2x2x512, not in an output for each class",
            "schedule.phases.0.train.0: `head` has no parameters"
        ]
    );
}

#[test]
fn images_of_any_channels_go_into_a_backbone() {
    for (image, channels) in [("{ size: 64, channels: gray }", 1), ("{ size: 64, channels: 5 }", 5)] {
        let plan = Spec { image, ..Spec::default() }.plan().unwrap();
        assert_eq!(plan.graph.params[0].def.dims, [7, 7, channels, 64]);
        assert_eq!(plan.normalize.mean.len(), channels);
    }
    let net = "layers: [{ conv2d: { out: 4, kernel: 3 } }]";
    let plan = Spec {
        image: "{ size: 64, channels: gray }",
        net,
        schedule: "phases: [{ name: a, epochs: 1, train: ['*'], lr: 1 }]",
        ..Spec::default()
    };
    assert_eq!(plan.plan().unwrap().normalize.mean, [0.5]);
}

#[test]
fn a_weight_file_that_is_not_there_is_told_with_its_path() {
    assert_eq!(
        Spec { net: "backbone: { arch: resnet18, weights: assets/none.pth }", ..Spec::default() }.problems(),
        ["backbone.weights: there is no file specs/assets/none.pth"]
    );
}

#[test]
fn all_problems_are_told_together() {
    let spec = Spec {
        image: "{ size: 32 }",
        net: "backbone: { arch: inception_v3, weights: none.pth }",
        head: "[global_avg_pool, dropout: 0.2, flatten, max_pool: { size: 2 }]",
        schedule: "phases: [
            { name: a, epochs: 0, train: [haed], lr: 1e-3 },
            { name: b, epochs: 1, train: [head, 're:^head'], lr: { head: 1, stem: 1 }, batch_norm: { mixed_9: frozen } }]",
    };
    let paths: Vec<String> =
        spec.problems().iter().filter_map(|problem| Some(problem.split_once(':')?.0.to_owned())).collect();
    assert_eq!(
        paths,
        [
            "schedule.phases.0.epochs",
            "data.image.size",
            "head.3",
            "backbone.weights",
            "schedule.phases.0.train.0",
            "schedule.phases.1.train.1",
            "schedule.phases.1.batch_norm.mixed_9",
            "schedule.phases.1.lr.stem",
            "schedule.phases.1.lr",
        ]
    );
}

#[test]
fn names_are_looked_up_although_the_net_does_not_fit() {
    let schedule = "phases: [{ name: a, epochs: 1, train: [layers.7], lr: 1 }]";
    let net = "layers: [{ max_pool: { size: 9 } }, { conv2d: { out: 4, kernel: 3 } }]";
    let problems = Spec { image: "{ size: 4 }", net, schedule, ..Spec::default() }.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("layers.0: "), "{problems:?}");
    assert_eq!(problems[1], "schedule.phases.0.train.0: there is no `layers.7`");

    let problems = Spec { net: "", schedule, ..Spec::default() }.problems();
    assert_eq!(problems, [": the net is missing: neither `backbone` nor `layers` is given"]);
}

#[test]
fn what_a_shorthand_has_wrong_is_told_once() {
    let schedule = "gradual_unfreeze: { every: 1, stages: [head, layer5, layer4], lr: 1e-3 }";
    assert_eq!(
        Spec { schedule, ..Spec::default() }.problems(),
        ["schedule.gradual_unfreeze.stages.1: there is no `layer5`"]
    );
}

#[test]
fn where_the_spec_is_wrong_in_itself_nothing_more_is_said_of_that_place() {
    let schedule = "phases: [{ name: a, epochs: 1, train: [head, head, ''], lr: 1 }]";
    assert_eq!(
        Spec { schedule, ..Spec::default() }.problems(),
        [
            "schedule.phases.0.train.1: `head` is listed twice",
            "schedule.phases.0.train.2: the name of a stage is empty"
        ]
    );
}

#[test]
fn a_backbone_is_changed() {
    let net = "backbone:
  arch: resnet18
  insert:
    - { after: layer3, layer: { conv2d: { out: 256, kernel: 1 } } }
    - { after: layer3.1.relu2, layer: batch_norm }
  replace: { maxpool: { max_pool: { size: 4 } }, layer1.0.add: { add: { with: [7] } } }";
    let plan = Spec { net, ..Spec::default() }.plan().unwrap();
    let node = |name: &str| &plan.graph.nodes[plan.graph.node_named(name).unwrap()];
    assert_eq!(node("maxpool").output.to_string(), "8x8x64");
    assert_eq!(plan.graph.stages[node("layer3.conv2d").stage].name, "layer3");
    assert_eq!(plan.graph.name_of(node("layer3.1.relu2.batch_norm").inputs[0]), "layer3.conv2d");
    assert_eq!(plan.graph.name_of(node("layer4.0.conv1").inputs[0]), "layer3.1.relu2.batch_norm");
}

/// The problems of a changed backbone, and what helps.
fn changed(arch: &str, changes: &str) -> Vec<(String, Option<String>)> {
    let net = format!("backbone: {{ arch: {arch}, {changes} }}");
    let spec = Spec { net: net.leak(), ..Spec::default() };
    let problems = spec.plan().map(|plan| plan.graph.nodes.len()).unwrap_err().0;
    problems.into_iter().map(|problem| (format!("{}: {}", problem.path, problem.message), problem.help)).collect()
}

#[test]
fn names_that_a_backbone_does_not_have_are_told_with_the_nearest() {
    for (changes, message, help) in [
        (
            "insert: { after: layer5, layer: relu }",
            "backbone.insert.after: `resnet18` has no layer or stage named `layer5`",
            "did you mean `layer1`?",
        ),
        (
            "insert: [{ after: stem, layer: relu }, { after: layer3.1.con2, layer: relu }]",
            "backbone.insert.1.after: `resnet18` has no layer or stage named `layer3.1.con2`",
            "did you mean `layer3.1.conv2`?",
        ),
        (
            "insert: { after: layer3.1, layer: relu }",
            "backbone.insert.after: `resnet18` has no layer or stage named `layer3.1`",
            "did you mean `layer3.1.relu2`, the last layer of it?",
        ),
        (
            "insert: { after: blocks.13, layer: relu }",
            "backbone.insert.after: `resnet18` has no layer or stage named `blocks.13`",
            "its stages are stem, layer1-4; `runner plan --json` names all layers",
        ),
        (
            "insert: { after: head.0, layer: relu }",
            "backbone.insert.after: `head.0` is not of the backbone",
            "write what the head is made of in `head:`, beside `backbone:`",
        ),
        (
            "replace: { max_pool: { max_pool: { size: 2 } } }",
            "backbone.replace.max_pool: `resnet18` has no layer named `max_pool`",
            "did you mean `maxpool`?",
        ),
        (
            "replace: { stem: relu }",
            "backbone.replace.stem: `stem` is 4 layers, and one at a time can be replaced",
            "name one of `conv1`, `bn1`, `relu`, `maxpool`",
        ),
        (
            "replace: { head: relu }",
            "backbone.replace.head: `head` is not of the backbone",
            "write what the head is made of in `head:`, beside `backbone:`",
        ),
    ] {
        assert_eq!(changed("resnet18", changes), [(message.to_owned(), Some(help.to_owned()))]);
    }
}

#[test]
fn a_change_that_does_not_fit_is_pointed_at() {
    for (changes, message) in [
        (
            "insert: { after: layer4, layer: { linear: { out: classes } } }",
            "backbone.insert.layer: `layer4.linear` (linear) does not fit its input of 2x2x512: ",
        ),
        (
            "insert: [{ after: layer1.0.bn2, layer: { max_pool: { size: 2 } } }]",
            "backbone.insert.0.layer: after this change, `layer1.0.add` (add) does not fit its input of 8x8x64, 16x16x64: ",
        ),
        (
            "replace: { maxpool: { max_pool: { size: 33 } } }",
            "backbone.replace.maxpool: `maxpool` (max_pool) does not fit its input of 32x32x64: ",
        ),
        (
            "replace: { layer2.0.conv2: { conv2d: { out: 64, kernel: 1 } } }",
            "backbone.replace.layer2.0.conv2: after this change, `layer2.0.add` (add) does not fit ",
        ),
        ("replace: { layer1.0.add: relu }", "backbone.replace.layer1.0.add: `layer1.0.add` (relu) does not fit "),
        (
            "replace: { layer1.0.add: { add: { with: [0, 1] } } }",
            "backbone.replace.layer1.0.add.add.with: `layer1.0.add` has 2 inputs, and with this it would have 3",
        ),
        (
            "replace: { maxpool: { concat: { with: [0] } } }",
            "backbone.replace.maxpool.concat.with: `maxpool` has 1 input, and with this it would have 2",
        ),
        (
            "insert: { after: maxpool, layer: { add: { with: [0] } } }",
            "backbone.insert.layer.add.with: `with` cannot be used here: what is put between two layers has one input",
        ),
    ] {
        let problems = changed("resnet18", changes);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].0.starts_with(message), "{problems:?}");
    }
}

#[test]
fn a_head_that_the_spec_does_not_have_points_at_the_change_that_it_does_not_fit() {
    let net = "backbone: { arch: resnet18, insert: { after: layer4, layer: global_avg_pool } }";
    let mut loaded = Spec { net, ..Spec::default() }.load();
    loaded.pipeline.head = None;
    let facts =
        DataFacts { classes: vec![String::new(); 5], samples: None, description: String::new(), fallback: false };
    let problems = Plan::over(&loaded.pipeline, &loaded.dir, facts).unwrap_err().0;
    assert_eq!((problems.len(), problems[0].path.to_string().as_str()), (1, "backbone.insert.layer"));
    assert!(problems[0].message.starts_with("after this change, `head.0` (global_avg_pool) does not fit"));
}

#[test]
fn the_size_of_the_image_is_blamed_only_where_it_is_to_blame() {
    let image = "{ size: 32 }";
    let too_small = Spec { image, net: "backbone: { arch: alexnet }", ..Spec::default() }.problems();
    assert!(too_small[0].starts_with("data.image.size: images of 32x32x3 do not fit `alexnet`: `features.12`"));
    // A dropout changes nothing about it, nor does a pool that is too much as well.
    for changes in [
        "insert: { after: features.2, layer: { dropout: 0.1 } }",
        "replace: { features.6: { conv2d: { out: 384, kernel: 1, padding: 0 } } }",
    ] {
        let net: &str = format!("backbone: {{ arch: alexnet, {changes} }}").leak();
        assert_eq!(Spec { image, net, ..Spec::default() }.problems(), too_small);
    }
    // Without the last pool there is room.
    let net = "backbone: { arch: alexnet, replace: { features.12: relu } }";
    assert!(Spec { image, net, ..Spec::default() }.plan().is_ok());
}

#[test]
fn phases_are_checked_although_a_change_does_not_fit() {
    let net = "backbone: { arch: resnet18, replace: { layer1.0.add: relu } }";
    let schedule = "phases: [{ name: a, epochs: 1, train: [head, layr4], lr: 1 }]";
    let problems = Spec { net, schedule, ..Spec::default() }.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(problems[1], "schedule.phases.0.train.1: no stage is named `layr4`");
}

#[test]
fn random_layers_below_the_boundary_are_warned_of() {
    let warnings = |insert: &str, train: &str| {
        let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines/assets/efficientnet_lite0.safetensors");
        let net = format!("backbone: {{ arch: efficientnet_lite0, weights: {weights}, {insert} }}").leak();
        let schedule = format!("phases: [{{ name: a, epochs: 1, train: {train}, lr: 1 }}]").leak();
        Spec { net, schedule, ..Spec::default() }.plan().unwrap().warnings
    };
    let insert = "insert: { after: blocks.12, layer: batch_norm }";
    assert_eq!(warnings("", "[head]"), [""; 0]);
    let frozen = warnings(insert, "[head]");
    assert!(frozen[0].starts_with("random weights: phase `a` freezes 384 values") && frozen[0].contains("(blocks.12)"));
    assert_eq!(warnings(insert, "[head, 're:^blocks.12.batch_norm']"), [""; 0]);
    assert_eq!(warnings("insert: { after: blocks.12, layer: { dropout: 0.1 } }", "[head]"), [""; 0]);
}
