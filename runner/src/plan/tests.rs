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
fn grey_images_do_not_go_into_a_backbone() {
    assert_eq!(
        Spec { image: "{ size: 64, channels: gray }", ..Spec::default() }.problems(),
        ["data.image.channels: `resnet18` takes images of three channels, `gray` has one"]
    );
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
