//! The head that is fitted before any phase.

use super::weights;
use crate::heads::Fitted;
use crate::layers::{AnyLayer, Role};
use crate::net::{Graph, NodeId, ParamId};
use crate::spec::Pipeline;
use crate::weights::LoadReport;

/// A linear layer that is fitted to convergence on what the rest of the net gives.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedHead {
    /// How.
    pub how: Fitted,
    /// The linear layer. What its input is, is the features: of each sample `width` values.
    pub node: NodeId,
    /// Features a sample.
    pub width: usize,
    /// Its weight.
    pub weight: ParamId,
    /// Its bias.
    pub bias: ParamId,
}

impl FittedHead {
    /// The head of a spec that fits one; `None` where it does not, or where the net is only one to look
    /// up names in.
    pub fn resolve(spec: &Pipeline, graph: &Graph) -> Option<Self> {
        let how = spec.head.as_ref()?.fitted()?.clone();
        let node = graph.nodes.len().checked_sub(1)?;
        let last = graph.nodes.get(node)?;
        let AnyLayer::Linear(_) = last.layer else { return None };
        let param = |wanted: fn(Role) -> bool| {
            last.params.clone().find(|&param| graph.params.get(param).is_some_and(|param| wanted(param.def.role)))
        };
        let (weight, bias) = (param(|role| role == Role::Weight)?, param(|role| role == Role::Bias)?);
        let width = last.inputs.first().map(|&input| graph.shape_of(input).count())?;
        Some(FittedHead { how, node, width, weight, bias })
    }

    /// By parameter: whether the fit must leave it bit-identical.
    pub fn frozen(&self, graph: &Graph) -> Vec<bool> {
        (0..graph.params.len()).map(|param| param != self.weight && param != self.bias).collect()
    }

    /// What a person should know before fitting.
    pub(super) fn warnings(&self, spec: &Pipeline, graph: &Graph, report: Option<&LoadReport>) -> Vec<String> {
        let random = weights::random(graph, report);
        let values: usize = (0..graph.params.len())
            .filter(|&param| random[param] && param != self.weight && param != self.bias)
            .map(|param| &graph.params[param].def)
            .filter(|def| !def.role.is_buffer())
            .map(crate::layers::ParamDef::count)
            .sum();
        let noise = (values > 0).then(|| {
            format!(
                "random weights: the head is fitted on features that depend on {values} values that no file gave. Give \
                 `backbone.weights`."
            )
        });
        let varied = !spec.augmentation.train.is_empty() || spec.augmentation.mixes();
        let unused = (varied && spec.schedule.is_absent()).then(|| {
            "`augmentation` has no part in it: the head is fitted on the images as they are, and no phase trains"
                .to_owned()
        });
        noise.into_iter().chain(unused).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::data::DataFacts;
    use crate::layers::Shape;
    use crate::plan::Plan;
    use crate::spec;
    use std::path::Path;

    /// The plan of a backbone under a head, or `PATH: MESSAGE` of each problem.
    fn plan(net: &str, rest: &str) -> Result<Plan, Vec<String>> {
        let text = format!(
            "name: heads\ndata: {{ source: {{ synthetic: blood_cells }}, image: {{ size: 64 }} }}\n{net}\n{rest}\n"
        );
        let loaded = spec::load_text("heads.yaml", &text, Path::new(""), &[]).unwrap_or_else(|error| panic!("{error}"));
        let facts = DataFacts {
            classes: ["a", "b", "c"].map(str::to_owned).to_vec(),
            samples: None,
            description: "made up".to_owned(),
            fallback: false,
        };
        Plan::over(&loaded.pipeline, &loaded.dir, facts).map_err(|problems| {
            problems.0.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
        })
    }

    fn problems(net: &str, rest: &str) -> Vec<String> {
        plan(net, rest).map(|plan| plan.graph.nodes.len()).unwrap_err()
    }

    const SVM: &str = "head: { linear_svm: { c: 2 } }";
    const PHASES: &str = "schedule: { phases: [{ name: a, epochs: 1, train: [head], lr: 1 }] }";

    #[test]
    fn a_fitted_head_is_a_linear_layer_over_the_means_and_needs_no_schedule() {
        let plan = plan("backbone: { arch: resnet18 }", SVM).unwrap();
        let fitted = plan.fitted.as_ref().unwrap();
        assert_eq!((fitted.width, plan.phases.len()), (512, 0));
        let names = [fitted.weight, fitted.bias].map(|param| plan.graph.params[param].name.as_str());
        assert_eq!(names, ["head.1.weight", "head.1.bias"]);
        assert_eq!(plan.graph.nodes[fitted.node].name, "head.1");
        assert_eq!(fitted.frozen(&plan.graph).iter().filter(|frozen| !**frozen).count(), 2);
        assert!(plan.warnings[0].starts_with("random weights: the head is fitted on features"), "{:?}", plan.warnings);
    }

    #[test]
    fn features_that_are_a_vector_are_not_pooled() {
        let net = "layers: [{ conv2d: { out: 2, kernel: 8, stride: 8 } }, flatten]";
        let plan = plan(net, SVM).unwrap();
        assert_eq!(plan.fitted.map(|fitted| fitted.width), Some(128));
        assert_eq!(plan.graph.nodes.last().map(|node| node.name.as_str()), Some("head.0"));
    }

    #[test]
    fn phases_may_follow_and_other_heads_need_them() {
        let plan = plan("backbone: { arch: resnet18 }", &format!("{SVM}\n{PHASES}")).unwrap();
        assert_eq!((plan.phases.len(), plan.fitted.is_some()), (1, true));
        for rest in ["seed: 1", "head: logistic\nschedule: { optimizer: sgd }"] {
            assert_eq!(
                problems("backbone: { arch: resnet18 }", rest),
                [
                    "schedule: the phases are missing: neither `phases` nor a shorthand such as `gradual_unfreeze` is given"
                ]
            );
        }
    }

    #[test]
    fn a_tap_cuts_the_net_and_gives_it_a_head_of_its_own() {
        let plan = plan("backbone: { arch: resnet18, features: layer3 }", PHASES).unwrap();
        let stages: Vec<&str> = plan.graph.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(stages, ["stem", "layer1", "layer2", "layer3", "head"]);
        assert_eq!(plan.graph.output(), Shape::Features(3));
        assert_eq!(plan.phases[0].trainable_values(&plan.graph), 256 * 3 + 3);
        // After the addition's activation, as the stage gives it.
        let head = plan.graph.stages[4].nodes.start;
        assert_eq!(plan.graph.nodes[head - 1].layer.name(), "relu");
        assert_eq!(plan.graph.cut_off.len(), 5 * (1 + 4), "five convolutions, each with its norm");
    }

    #[test]
    fn a_layer_may_be_tapped_and_changes_stand_before_the_cut() {
        let net =
            "backbone: { arch: resnet18, features: layer2.0.conv1, insert: { after: layer1, layer: batch_norm } }";
        let tapped = plan(net, SVM).unwrap();
        let head = tapped.graph.stages.last().unwrap().nodes.start;
        assert_eq!(tapped.graph.nodes[head - 1].name, "layer2.0.conv1");
        assert!(tapped.graph.node_named("layer1.batch_norm").is_some());
        let net = "backbone: { arch: resnet18, features: layer2, insert: { after: layer3, layer: batch_norm } }";
        assert_eq!(problems(net, SVM), ["backbone.insert.after: `resnet18` has no layer or stage named `layer3`"]);
    }

    #[test]
    fn taps_that_cannot_be_are_told_at_their_place() {
        for (tap, message) in [
            ("layer9", "`resnet18` has no layer or stage named `layer9`"),
            ("layer3.0", "`resnet18` has no layer or stage named `layer3.0`"),
            ("head", "`head` is not of the backbone"),
        ] {
            let net = format!("backbone: {{ arch: resnet18, features: {tap} }}");
            assert_eq!(problems(&net, SVM), [format!("backbone.features: {message}")]);
        }
    }

    #[test]
    fn only_a_classifier_of_linear_layers_can_be_converted() {
        let convert = format!("head: {{ convert_fc: true }}\n{PHASES}");
        for (net, problem) in [
            (
                "backbone: { arch: resnet18 }",
                "head.convert_fc: `resnet18` has no classifier of linear layers over flattened features to convert",
            ),
            (
                "backbone: { arch: vgg11, features: features.10 }",
                "head.convert_fc: there is no classifier to convert: `features: features.10` cuts the net before it",
            ),
            ("layers: [relu]", "head.convert_fc: there is no classifier to convert: the net is written in the spec"),
            (
                "backbone: { arch: vgg11 }",
                "data.image.size: `head.0` (conv2d) does not fit its input of 2x2x512: a window of 7x7 does not fit into \
                 an image of 2x2",
            ),
        ] {
            assert_eq!(problems(net, &convert), [problem]);
        }
        let kept = plan("backbone: { arch: vgg11 }", &format!("head: {{ convert_fc: false }}\n{PHASES}")).unwrap();
        assert!(kept.graph.nodes.iter().any(|node| node.layer.name() == "flatten"));
    }
}
