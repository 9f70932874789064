//! The backbone with what a spec changes of it: names looked up, layers put in.

use super::pattern::overview;
use crate::layers::{AnyLayer, Shape};
use crate::net::surgery::{Cause, Misfit, Rebuilt, rebuild};
use crate::net::{self, Builder, Change, Graph, Node, NodeId, Place, Source};
use crate::spec::problem::nearest;
use crate::spec::{Backbone, Path, Problem, Problems};
use std::fmt::Display;

/// Channels of the images that architectures are drawn for; names do not depend on them.
const CHANNELS: usize = 3;

/// A backbone with the changes that a spec makes to it.
pub struct Surgery<'a> {
    backbone: &'a Backbone,
    /// The backbone as it is, over images of the size that it was made for; where it is tapped, cut
    /// after the tap.
    graph: Graph,
    /// Names of its stages and layers that are cut off.
    gone: Vec<String>,
    changes: Vec<Change>,
    /// By change: where the spec makes it.
    places: Vec<Path>,
}

impl<'a> Surgery<'a> {
    /// Looks up what is to change. `classes` stands in where a layer has an output for each class.
    ///
    /// What cannot be put where the spec has it is a problem, and left out.
    pub fn resolve(backbone: &'a Backbone, classes: usize, problems: &mut Problems) -> Self {
        let mut surgery = Surgery::unchanged(backbone, problems);
        let top = Path::of("backbone");
        if let Some(name) = &backbone.features {
            surgery.tap(name, &top.key("features"), problems);
        }
        // Of layers with places in a list, `crate::spec::check` has told.
        for (at, insert) in backbone.inserts(&top).into_iter().filter(|(_, insert)| insert.layer.places().is_empty()) {
            match surgery.after(&insert.after, &at.key("after")) {
                Ok(place) => surgery.push(place, &insert.layer, at.key("layer"), classes),
                Err(problem) => problems.push(problem),
            }
        }
        for (name, layer) in &backbone.replace {
            let at = top.key("replace").key(name.as_str());
            match surgery.in_place_of(name, layer, &at) {
                Ok(place) => surgery.push(place, layer, at, classes),
                Err(problem) => problems.push(problem),
            }
        }
        surgery
    }

    /// The backbone without the changes.
    pub fn unchanged(backbone: &'a Backbone, problems: &mut Problems) -> Self {
        let (arch, side) = (backbone.arch, backbone.arch.native_size());
        let mut net = Builder::new(Shape::Image { height: side, width: side, channels: CHANNELS });
        if let Err(error) = arch.build(&mut net) {
            problems.push(Problem::new(Path::of("backbone.arch"), error.to_string()));
        }
        Surgery { backbone, graph: net.finish(), gone: Vec::new(), changes: Vec::new(), places: Vec::new() }
    }

    /// Cuts the backbone after a layer or a stage.
    fn tap(&mut self, name: &str, at: &Path, problems: &mut Problems) {
        let cut = match self.after(name, at) {
            Ok(Place::After { node, .. }) => net::cut(&self.graph, node),
            Ok(Place::InPlaceOf(_)) => return,
            // Of the head's names, `crate::spec::check` has told.
            Err(_) if problems.0.iter().any(|problem| problem.path == *at) => return,
            Err(problem) => return problems.push(problem),
        };
        match cut {
            Ok(cut) => {
                let whole = std::mem::replace(&mut self.graph, cut);
                let names =
                    whole.stages.iter().map(|stage| &stage.name).chain(whole.nodes.iter().map(|node| &node.name));
                self.gone = names.filter(|name| !self.has(name)).cloned().collect();
            }
            Err(error) => problems.push(Problem::new(at.clone(), error.to_string())),
        }
    }

    /// Whether there is a stage or a layer of this name.
    fn has(&self, name: &str) -> bool {
        self.graph.stages.iter().any(|stage| stage.name == name) || self.graph.node_named(name).is_some()
    }

    /// Adds the backbone to an empty net.
    ///
    /// # Errors
    /// What does not fit, at the change that brought it about, or else at the size of the images.
    pub fn build(&self, net: &mut Builder) -> Result<Rebuilt, Problem> {
        let image = net.shape(Source::Image);
        net.set_cut_off(self.graph.cut_off.clone());
        rebuild(&self.graph, &self.changes, net).map_err(|misfit| self.problem(&misfit, image))
    }

    /// Which images are large enough for the backbone's own classifier as convolutions.
    pub fn least_size(&self) -> String {
        let side = self.backbone.arch.native_size();
        format!("the classifier slides over images from {side}x{side} pixels on; smaller ones take `convert_fc: false`")
    }

    /// What a layer that comes later has against change `number`.
    pub fn blame(&self, number: usize, misfit: &impl Display) -> Problem {
        Problem::new(self.place(number), format!("after this change, {misfit}"))
    }

    fn push(&mut self, place: Place, layer: &AnyLayer, at: Path, classes: usize) {
        self.changes.push(Change { place, layer: layer.clone().with_classes(classes) });
        self.places.push(at);
    }

    fn place(&self, change: usize) -> Path {
        self.places.get(change).cloned().unwrap_or_else(|| Path::of("backbone"))
    }

    fn problem(&self, misfit: &Misfit, image: Shape) -> Problem {
        match misfit.cause {
            Cause::Layer(change) => Problem::new(self.place(change), misfit.to_string()),
            // A layer for which the images are too small anyhow is not the change's fault.
            Cause::Change(change) if !self.fails_unchanged(&misfit.error.node, image) => self.blame(change, misfit),
            Cause::Change(_) | Cause::Input => {
                let arch = self.backbone.arch;
                let message = format!("images of {image} do not fit `{}`: {misfit}", arch.name());
                let help = format!("its pretrained weights were made for {0}x{0} pixels", arch.native_size());
                Problem::new(Path::of("data.image.size"), message).help(help)
            }
        }
    }

    /// Whether the backbone as it is has no room for `node` either.
    fn fails_unchanged(&self, node: &str, image: Shape) -> bool {
        rebuild(&self.graph, &[], &mut Builder::new(image)).is_err_and(|misfit| misfit.error.node == node)
    }

    /// The place after a layer or a stage.
    fn after(&self, name: &str, at: &Path) -> Result<Place, Problem> {
        let stage = || self.graph.stages.iter().find(|stage| stage.name == name)?.nodes.clone().last();
        if let Some(node) = self.graph.node_named(name).or_else(stage) {
            return Ok(Place::After { node, prefix: name.to_owned() });
        }
        let problem = Problem::new(at.clone(), format!("`{}` has no layer or stage named `{name}`", self.arch()));
        Err(match self.parts(name).last() {
            Some(last) => problem.help(format!("did you mean `{}`, the last layer of it?", last.name)),
            None => self.suggest(problem, name, self.graph.stages.iter().map(|stage| stage.name.as_str())),
        })
    }

    /// The place of a layer, where `layer` can stand there.
    fn in_place_of(&self, name: &str, layer: &AnyLayer, at: &Path) -> Result<Place, Problem> {
        let Some(node) = self.graph.node_named(name) else { return Err(self.not_one(name, at)) };
        let (has, wants) = (self.graph.nodes[node].inputs.len(), layer.places().len() + 1);
        if layer.places().is_empty() || has == wants {
            return Ok(Place::InPlaceOf(node));
        }
        let message = format!("`{name}` has {has} input{}, and with this it would have {wants}", plural(has));
        let help = "what replaces a layer keeps its inputs: of `with` only the number counts";
        Err(Problem::new(at.key(layer.name()).key("with"), message).help(help))
    }

    /// The problem with a name that should be a layer's and is not.
    fn not_one(&self, name: &str, at: &Path) -> Problem {
        let parts: Vec<String> = self.parts(name).iter().map(|node| format!("`{}`", node.name)).collect();
        if parts.is_empty() {
            let problem = Problem::new(at.clone(), format!("`{}` has no layer named `{name}`", self.arch()));
            return self.suggest(problem, name, []).at_key();
        }
        let message = format!("`{name}` is {} layers, and one at a time can be replaced", parts.len());
        Problem::new(at.clone(), message).at_key().help(format!("name one of {}", parts.join(", ")))
    }

    /// The layers of a stage, or of another part of the net.
    fn parts(&self, name: &str) -> Vec<&Node> {
        let stage = self.graph.stages.iter().find(|stage| stage.name == name);
        let inner = format!("{name}.");
        let part = |id: NodeId, node: &Node| {
            stage.map_or_else(|| node.name.starts_with(&inner), |stage| stage.nodes.contains(&id))
        };
        self.graph.nodes.iter().enumerate().filter(|&(id, node)| part(id, node)).map(|(_, node)| node).collect()
    }

    /// Adds the nearest name of a layer, or of one of `more`; else what there is.
    fn suggest<'b>(&'b self, problem: Problem, name: &str, more: impl IntoIterator<Item = &'b str>) -> Problem {
        if let Some(tap) = self.backbone.features.as_ref().filter(|_| self.gone.iter().any(|gone| gone == name)) {
            return problem.help(format!("it has one, but the net is cut before it: `features: {tap}`"));
        }
        let layers = self.graph.nodes.iter().map(|node| node.name.as_str());
        if let Some(near) = nearest(name, layers.chain(more)) {
            return problem.help(format!("did you mean `{near}`?"));
        }
        let stages = overview(self.graph.stages.iter().map(|stage| stage.name.as_str()));
        problem.help(format!("its stages are {stages}; `runner plan --json` names all layers"))
    }

    fn arch(&self) -> &'static str {
        self.backbone.arch.name()
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
