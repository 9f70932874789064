//! What a person should know of a plan before running it.

use super::pattern::overview;
use super::{PhasePlan, penalties, weights};
use crate::data::DataFacts;
use crate::engine::DeviceName;
use crate::layers::AnyLayer;
use crate::net::{Graph, Node};
use crate::report::number::bytes;
use crate::spec::Pipeline;
use crate::weights::LoadReport;

/// All warnings.
pub fn all(
    spec: &Pipeline,
    graph: &Graph,
    phases: &[PhasePlan],
    report: Option<&LoadReport>,
    data: &DataFacts,
) -> Vec<String> {
    let generated = data.fallback.then(|| format!("the images are not those of `data.source`: {}", data.description));
    let known = frozen_random(graph, phases, report).into_iter().chain(penalties::warning(spec, phases));
    generated.into_iter().chain(known).chain(on_host(spec, graph)).collect()
}

/// Layers of plugins that see the host's memory: what they cost on a GPU.
fn on_host(spec: &Pipeline, graph: &Graph) -> Option<String> {
    let DeviceName::Cuda(_) = spec.device else { return None };
    let runs_on_host = |node: &&Node| matches!(&node.layer, AnyLayer::Plugin(layer) if layer.runs_on_host());
    let layers: Vec<&Node> = graph.nodes.iter().filter(runs_on_host).collect();
    // Forward its inputs come and its output goes; backward its inputs and the output's gradient come, and gradients of
    // the inputs go.
    let values = |node: &Node| {
        let inputs: usize = node.inputs.iter().map(|&input| graph.shape_of(input).count()).sum();
        3 * inputs + 2 * node.output.count()
    };
    let copied = layers.iter().map(|node| values(node) as u64).sum::<u64>() * spec.data.batch as u64 * 4;
    let names = layers.iter().map(|node| node.name.as_str());
    (!layers.is_empty()).then(|| {
        format!(
            "layers of plugins run on the host ({}): a training step copies up to {} from and to the GPU for them",
            overview(names),
            bytes(copied)
        )
    })
}

/// Random weights that a phase freezes before any phase has trained them: what trains on top of
/// them, trains on noise.
fn frozen_random(graph: &Graph, phases: &[PhasePlan], report: Option<&LoadReport>) -> Option<String> {
    let mut random = weights::random(graph, report);
    for phase in phases {
        let trainable = phase.trainable(graph.params.len());
        let frozen = |param: &usize| {
            let node = graph.params[*param].node;
            random[*param] && !trainable[*param] && !graph.params[*param].def.role.is_buffer() && node < phase.boundary
        };
        let frozen: Vec<usize> = (0..graph.params.len()).filter(frozen).collect();
        if !frozen.is_empty() {
            let values: usize = frozen.iter().map(|&param| graph.params[param].def.count()).sum();
            let mut stages: Vec<usize> = frozen.iter().map(|&param| graph.stage_of(param)).collect();
            stages.dedup();
            let names = stages.iter().map(|&stage| graph.stages[stage].name.as_str());
            return Some(format!(
                "random weights: phase `{}` freezes {values} values that no file gave and no phase has trained ({}); \
                 what trains on top of them trains on noise. Give `backbone.weights`, or train them first.",
                phase.name,
                overview(names)
            ));
        }
        for (random, trains) in random.iter_mut().zip(trainable) {
            *random &= !trains;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;
    use crate::spec::Problems;

    fn warned(phases: &str, loaded: &str) -> Option<String> {
        let graph = fixture::net(&["stem", "blocks.0", "blocks.1", "head"]);
        let drafts = fixture::drafts(&fixture::yaml(&format!("phases: [{phases}]")));
        let mut problems = Problems::default();
        let phases: Vec<PhasePlan> =
            drafts.iter().map(|draft| PhasePlan::resolve(draft, &graph, &mut problems)).collect();
        assert_eq!(problems, Problems::default());
        let names = graph.params.iter().map(|param| param.name.clone()).enumerate();
        let matched = names.filter(|(_, name)| !loaded.is_empty() && name.starts_with(loaded)).collect();
        frozen_random(&graph, &phases, Some(&LoadReport { matched, ..LoadReport::default() }))
    }

    const HEAD: &str = "{ name: top, epochs: 1, lr: 1, train: [head] }";
    const ALL: &str = "{ name: all, epochs: 1, lr: 1, train: ['*'] }";

    #[test]
    fn frozen_random_weights_are_told() {
        let text = warned(HEAD, "").unwrap();
        assert!(text.starts_with("random weights: phase `top` freezes 456 values"), "{text}");
        assert!(text.contains("(stem, blocks.0-1)"), "{text}");
        let text = warned(HEAD, "stem").unwrap();
        assert!(text.contains("(blocks.0-1)"), "{text}");
        assert!(warned(&format!("{HEAD}, {ALL}"), "").is_some());
    }

    #[test]
    fn weights_that_were_loaded_or_trained_are_not() {
        assert_eq!(warned(ALL, ""), None);
        assert_eq!(warned(&format!("{ALL}, {HEAD}"), ""), None);
        let bottom = "{ name: bottom, epochs: 1, lr: 1, train: [stem] }";
        assert_eq!(warned(bottom, ""), None);
    }
}
