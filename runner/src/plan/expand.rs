//! Schedules, written out as phases over the stages of a net.

use crate::net::Graph;
use crate::spec::{Draft, Problems, Schedule};

/// The phases that a schedule means in a net, in order.
pub fn expand(schedule: &Schedule, graph: &Graph, problems: &mut Problems) -> Vec<Draft> {
    schedule.drafts(&stages(graph), problems)
}

/// The names of the stages that have parameters, from the image to the output.
pub fn stages(graph: &Graph) -> Vec<&str> {
    let own = graph.stages.iter().take(graph.own_stages()).enumerate();
    let with_parameters = own.filter(|(place, _)| graph.param_count(*place) > 0);
    with_parameters.map(|(_, stage)| stage.name.as_str()).collect()
}
