//! The auxiliary heads that layer-wise training needs.

use super::expand;
use crate::net::{Graph, NodeId};
use crate::spec::{Path, Pipeline, Problem, Problems};

/// The net with a head for each group of stages that trains before the last, each with an output for
/// each of `classes`. Without layer-wise training, the net as it is.
pub fn added(spec: &Pipeline, mut graph: Graph, classes: usize, problems: &mut Problems) -> Graph {
    let Some(layerwise) = &spec.schedule.layerwise else { return graph };
    let stages = expand::stages(&graph);
    // What does not fit is told when the phases are written out.
    if !layerwise.fits(&stages, &Path::default(), &mut Problems::default()) {
        return graph;
    }
    let groups = layerwise.groups(&stages);
    let inner = groups.split_last().map_or(&[][..], |(_, inner)| inner);
    let ends: Vec<NodeId> = inner.iter().filter_map(|group| end_of(&graph, group.last()?)).collect();
    for end in ends {
        match graph.clone().with_auxiliary(end, classes) {
            Ok(more) => graph = more,
            Err(error) => problems.push(Problem::new(Path::of("schedule.layerwise"), error.to_string()).at_key()),
        }
    }
    graph
}

/// The last node of a stage, with what follows it and has no parameters: an activation, a pool.
fn end_of(graph: &Graph, stage: &str) -> Option<NodeId> {
    let place = graph.stages.iter().position(|other| other.name == stage)?;
    let next = (place + 1..graph.own_stages()).find(|&next| graph.param_count(next) > 0);
    next.map_or(graph.own_nodes(), |next| graph.stages[next].nodes.start).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::NormMode;
    use crate::net::Exit;
    use crate::plan::fixture;

    fn planned(layerwise: &str) -> (Graph, Vec<crate::plan::PhasePlan>) {
        let spec: Pipeline = fixture::yaml(&format!(
            "{{ name: a, data: {{ source: {{ synthetic: blood_cells }}, image: {{ size: 8 }} }}, \
             schedule: {{ layerwise: {layerwise} }} }}"
        ));
        let mut problems = Problems::default();
        let graph = added(&spec, fixture::net(&["stem", "layer1", "layer2", "head"]), 3, &mut problems);
        let phases = crate::plan::phases(&spec.schedule, &graph, &mut problems);
        assert_eq!(problems, Problems::default());
        (graph, phases)
    }

    #[test]
    fn each_group_but_the_last_has_a_head_on_its_output() {
        let (graph, phases) = planned("{ group_size: 1, epochs: 2, lr: 1 }");
        let stages: Vec<&str> = graph.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(stages, ["stem", "layer1", "layer2", "head", "auxiliary1", "auxiliary2"]);
        assert_eq!(graph.node_named("auxiliary2.pool").map(|node| graph.nodes[node].inputs.clone()).unwrap().len(), 1);
        assert_eq!(graph.name_of(graph.nodes[graph.node_named("auxiliary2.pool").unwrap()].inputs[0]), "layer1.relu");
        let exits: Vec<Exit> = phases.iter().map(|phase| phase.exit).collect();
        assert_eq!(exits, [Exit::Auxiliary(0), Exit::Auxiliary(1), Exit::Output]);
        let boundaries: Vec<usize> = phases.iter().map(|phase| phase.boundary).collect();
        assert_eq!(boundaries, [0, 3, 6]);
    }

    #[test]
    fn what_is_below_is_frozen_with_its_statistics() {
        let (graph, phases) = planned("{ group_size: 2, epochs: 2, lr: 1 }");
        assert_eq!(phases.len(), 2);
        let last = &phases[1];
        for (param, frozen) in graph.params.iter().zip(&last.frozen) {
            let trains = param.name.starts_with("layer2.") || param.name.starts_with("head.");
            assert_eq!(*frozen, !trains, "{}", param.name);
        }
        assert!(last.norms[..6].iter().all(|mode| *mode == NormMode::Inference));
    }
}
