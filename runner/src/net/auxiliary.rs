//! Auxiliary heads: classifiers on the output of an inner layer, beside the net's own.
//!
//! Their nodes and parameters come after all of the net's, so that the net's keep their places. A pass
//! ends at one exit, the net's own or that of one head, and only the nodes that lead there run.

use super::builder::{BuildError, Builder};
use super::graph::{Exit, Graph, NodeId, ParamId, Source};
use super::schedule::Schedule;
use crate::layers::{GlobalAvgPool, Linear, Shape};

impl Graph {
    /// The net with one more auxiliary head, on the output of `after`: the means over the image, then a
    /// linear map to `outputs` (Belilovsky et al. 2019). Its stage is `auxiliary1` for the first head,
    /// `auxiliary2` for the second; its nodes are `auxiliary1.pool` and `auxiliary1.linear`.
    ///
    /// # Errors
    /// Where the net has nodes of these names.
    pub fn with_auxiliary(mut self, after: NodeId, outputs: usize) -> Result<Graph, BuildError> {
        if self.exits.is_empty() {
            self.exits.push(self.schedule.clone());
        }
        let stage = format!("auxiliary{}", self.exits.len());
        let mut at = Source::Node(after);
        if self.stages.iter().any(|other| other.name == stage) {
            let (layer, inputs) = ("linear".to_owned(), self.shape_of(at).to_string());
            return Err(BuildError { node: stage, layer, inputs, reason: "the net has a stage of this name".into() });
        }
        let mut builder = Builder::over(self);
        builder.stage(&stage);
        if matches!(builder.shape(at), Shape::Image { .. }) {
            at = builder.add(format!("{stage}.pool"), GlobalAvgPool {}, at)?;
        }
        builder.add(format!("{stage}.linear"), Linear::new(outputs), at)?;
        let mut graph = builder.into_graph();
        let schedule = Schedule::new(&graph, &[graph.nodes.len() - 1]);
        graph.exits.push(schedule);
        // The net's own schedule runs none of the new nodes.
        let new = graph.nodes.len();
        for exit in &mut graph.exits {
            exit.leave_out_up_to(new);
        }
        graph.leave_by(Exit::Output);
        Ok(graph)
    }

    /// Passes end at this exit from now on. One that the graph lacks changes nothing.
    pub fn leave_by(&mut self, exit: Exit) {
        let place = match exit {
            Exit::Output => 0,
            Exit::Auxiliary(head) => head + 1,
        };
        if let Some(schedule) = self.exits.get(place) {
            self.schedule = schedule.clone();
        }
    }

    /// The graph, its passes ending at this exit.
    #[must_use]
    pub fn leaving_by(&self, exit: Exit) -> Graph {
        let mut graph = self.clone();
        graph.leave_by(exit);
        graph
    }

    /// How many nodes are the net's own; those after them belong to auxiliary heads.
    pub fn own_nodes(&self) -> usize {
        self.exits.first().map_or(self.nodes.len(), |own| own.end(self.nodes.len()))
    }

    /// How many stages are the net's own.
    pub fn own_stages(&self) -> usize {
        self.stages.len() - self.exits.len().saturating_sub(1)
    }

    /// Whether a parameter belongs to the net itself and not to an auxiliary head.
    pub fn is_own(&self, param: ParamId) -> bool {
        self.params.get(param).is_some_and(|param| param.node < self.own_nodes())
    }

    /// The exit behind the head that a node belongs to; the net's output for the net's own.
    pub fn exit_of(&self, node: NodeId) -> Exit {
        let stage = self.nodes.get(node).map_or(0, |node| node.stage);
        stage.checked_sub(self.own_stages()).map_or(Exit::Output, Exit::Auxiliary)
    }

    /// The stage of an auxiliary head, as its place in [`Graph::stages`].
    pub fn stage_of_exit(&self, exit: Exit) -> Option<usize> {
        match exit {
            Exit::Output => None,
            Exit::Auxiliary(head) => Some(self.own_stages() + head).filter(|&stage| stage < self.stages.len()),
        }
    }

    /// The net without its auxiliary heads.
    #[must_use]
    pub fn without_auxiliary(mut self) -> Graph {
        self.leave_by(Exit::Output);
        let (nodes, stages) = (self.own_nodes(), self.own_stages());
        self.params.retain(|param| param.node < nodes);
        self.nodes.truncate(nodes);
        self.stages.truncate(stages);
        self.exits.clear();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Cpu, KernelSet, Tape, Tensor};
    use crate::layers::Init;
    use crate::net::{Forward, Net, Params};
    use crate::plan::fixture;
    use crate::random::{Key, Purpose};
    use crate::weights::init::draw;

    fn with_heads() -> Graph {
        let graph = fixture::net(&["stem", "layer1", "head"]);
        graph.with_auxiliary(2, 3).unwrap().with_auxiliary(5, 3).unwrap()
    }

    fn drawn(graph: Graph) -> Net<Cpu> {
        let key = Key::new(1, Purpose::Init);
        let tensor = |param: &crate::net::Param| {
            let values = draw(&param.def, Init::Kaiming, key.named(&param.name));
            Tensor::from_vec(&Cpu::default(), values, &param.def.dims).unwrap()
        };
        let params = Params::new(graph.params.iter().map(tensor).collect());
        Net { graph, params }
    }

    fn logits(net: &Net<Cpu>) -> Vec<f32> {
        let mut stream = Key::new(2, Purpose::Init).stream();
        let values = (0..2 * 8 * 8 * 4).map(|_| stream.normal()).collect();
        let images = Tensor::from_vec(&Cpu::default(), values, &[2, 8, 8, 4]).unwrap();
        let (tape, key) = (&mut Tape::off(KernelSet::Fast), Key::new(0, Purpose::Layer));
        let run = Forward { tape, training: false, norms: &[], key, samples: &[0, 1], joined: None };
        net.forward(&images, run).unwrap_or_else(|(node, error)| panic!("{node}: {error}")).logits.to_vec()
    }

    #[test]
    fn a_pass_runs_what_leads_to_its_exit_and_no_more() {
        let mut graph = with_heads();
        let running = |graph: &Graph| (0..graph.nodes.len()).filter(|&node| graph.runs(node)).collect::<Vec<_>>();
        assert_eq!(running(&graph), (0..8).collect::<Vec<_>>());
        assert_eq!((graph.output(), graph.own_nodes(), graph.own_stages()), (Shape::Features(2), 8, 3));
        graph.leave_by(Exit::Auxiliary(0));
        assert_eq!(running(&graph), [0, 1, 2, 8, 9]);
        assert_eq!((graph.output(), graph.own_nodes(), graph.own_stages()), (Shape::Features(3), 8, 3));
        assert_eq!(graph.live_at(3), [Source::Node(2)]);
        assert_eq!(graph.live_at(graph.end()), [Source::Node(9)]);
        graph.leave_by(Exit::Auxiliary(1));
        assert_eq!(running(&graph), [0, 1, 2, 3, 4, 5, 10, 11]);
        assert_eq!(graph.exit_of(11), Exit::Auxiliary(1));
        assert_eq!(graph.exit_of(7), Exit::Output);
        assert_eq!(graph.stage_of_exit(Exit::Auxiliary(1)), Some(4));
    }

    #[test]
    fn the_nets_own_answers_are_those_without_heads() {
        let plain = drawn(fixture::net(&["stem", "layer1", "head"]));
        let mut net = drawn(with_heads());
        assert_eq!(logits(&net), logits(&plain), "to the last bit");
        net.graph.leave_by(Exit::Auxiliary(0));
        assert_eq!(logits(&net).len(), 2 * 3);
        // What is above the head is not looked at.
        net.params.set(5, Tensor::zeros(&Cpu::default(), &[1]).unwrap());
        assert!(logits(&net).iter().all(|value| value.is_finite()));
        let bare = drawn(net.graph.clone().without_auxiliary());
        assert_eq!((bare.graph.params.len(), bare.graph.stages.len()), (plain.graph.params.len(), 3));
        assert_eq!(logits(&bare), logits(&plain));
    }

    #[test]
    fn a_name_that_the_net_has_is_told() {
        let error = fixture::net(&["auxiliary1", "head"]).with_auxiliary(2, 3).unwrap_err();
        assert_eq!((error.node.as_str(), error.reason.as_str()), ("auxiliary1", "the net has a stage of this name"));
    }
}
