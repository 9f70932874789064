//! Puts the net of a spec together: backbone or layers, then the head.

use super::surgery::Surgery;
use crate::heads::{Head, convert_fc};
use crate::layers::{AnyLayer, BatchNorm, GlobalAvgPool, Linear, Shape};
use crate::net::surgery::Rebuilt;
use crate::net::{Builder, Graph, SequentialError, Source, sequential};
use crate::spec::size::Size;
use crate::spec::{Path, Pipeline, Problem, Problems, Task};
use crate::weights::take::ENCODER;

/// Outputs of a net that is looked at although the data's classes are not known.
pub const SOME_CLASSES: usize = 2;

/// A side in pixels that is enough for most nets.
const ROOMY: usize = 224;

/// The net that a spec describes, with an output for each of `classes`; `None` where the data could
/// not be looked at.
///
/// `problems` has what [`crate::spec::check`] found, and gets what is wrong beyond. Where another
/// net with the same stages can still be had, as when the image is too small for the backbone, that
/// one is given: names can be looked up in it.
pub fn assemble(spec: &Pipeline, classes: Option<usize>, problems: &mut Problems) -> Option<Graph> {
    if spec.backbone.is_none() && spec.layers.is_none() {
        return None;
    }
    let input = input(spec, problems);
    let count = classes.unwrap_or(SOME_CLASSES);
    let head = head(spec, count, problems);
    let surgery = spec.backbone.as_ref().map(|backbone| Surgery::resolve(backbone, count, problems));
    let net = Net { spec, classes: count, surgery };
    let first = match input.map(|input| net.build(input, &head)) {
        Some(Ok(graph)) => {
            if let Some(classes) = classes {
                check_output(spec, &graph, classes, problems);
            }
            return Some(graph);
        }
        Some(Err(problem)) => Some(problem),
        None => None,
    };
    // What is wrong apart from the size of the image shows with a larger one.
    let again = net.build(roomy(spec), &head);
    let told = first.as_ref().map(|problem| problem.path.clone());
    problems.0.extend(first);
    match again {
        Ok(graph) => Some(graph),
        Err(another) => {
            if Some(&another.path) != told.as_ref() {
                problems.push(another);
            }
            stand_in(&net, problems)
        }
    }
}

/// A net with the stages of the spec's, to look up names in although layers of plugins are missing.
///
/// Batch norm stands for them: it keeps the shape, and has parameters, as they may have.
pub fn without_plugins(spec: &Pipeline, classes: Option<usize>) -> Option<Graph> {
    let mut spec = spec.clone();
    for (_, layer) in spec.layers_written_mut() {
        if matches!(layer, AnyLayer::Plugin(_)) {
            *layer = BatchNorm::default().into();
        }
    }
    assemble(&spec, classes, &mut Problems::default())
}

/// A net with the same stages that fits, to look at names.
fn stand_in(net: &Net, problems: &mut Problems) -> Option<Graph> {
    // A decoder that does not fit has no stages to look up.
    if net.spec.task == Task::Reconstruct {
        return None;
    }
    let heads = stand_in_heads(net.spec, net.classes);
    let any = |net: &Net| heads.iter().find_map(|head| net.build(roomy(net.spec), head).ok());
    any(net).or_else(|| {
        let backbone = net.spec.backbone.as_ref()?;
        any(&Net { surgery: Some(Surgery::unchanged(backbone, problems)), ..*net })
    })
}

/// The shape of the images, if there can be such images ([`crate::spec::check`] looked at their
/// size).
fn input(spec: &Pipeline, problems: &Problems) -> Option<Shape> {
    let image = &spec.data.image;
    let at = Path::of("data.image.size");
    if problems.0.iter().any(|problem| problem.path == at) {
        return None;
    }
    let Size([height, width]) = image.size;
    Some(Shape::Image { height, width, channels: image.channels.count() })
}

/// A shape of image that the net is likely to take, to look at its names although the spec's does
/// not fit.
fn roomy(spec: &Pipeline) -> Shape {
    let side = spec.backbone.as_ref().map_or(ROOMY, |backbone| backbone.arch.native_size());
    Shape::Image { height: side, width: side, channels: spec.data.image.channels.count() }
}

/// The layers of the head.
fn head(spec: &Pipeline, classes: usize, problems: &mut Problems) -> Vec<AnyLayer> {
    if spec.task == Task::Reconstruct {
        return Vec::new();
    }
    let backbone = spec.backbone.as_ref();
    let of_framework = || match backbone {
        // What the framework puts on the whole backbone does not go with a part of it.
        Some(backbone) if backbone.features.is_some() => pooled(classes),
        Some(backbone) => backbone.arch.default_head(classes),
        None => Vec::new(),
    };
    match &spec.head {
        None | Some(Head::ConvertFc(false)) => of_framework(),
        Some(Head::Layers(layers)) => layers.clone(),
        Some(Head::Fitted(_)) => pooled(classes),
        Some(Head::ConvertFc(true)) => convert(spec, classes).unwrap_or_else(|problem| {
            problems.push(problem);
            pooled(classes)
        }),
    }
}

/// One output a class over the mean of each channel.
fn pooled(classes: usize) -> Vec<AnyLayer> {
    vec![GlobalAvgPool {}.into(), Linear::new(classes).into()]
}

/// The backbone's own classifier as convolutions.
fn convert(spec: &Pipeline, classes: usize) -> Result<Vec<AnyLayer>, Problem> {
    let at = Path::of("head.convert_fc");
    let Some(backbone) = &spec.backbone else {
        let message = "there is no classifier to convert: the net is written in the spec";
        return Err(Problem::new(at, message).help("it goes with `backbone: { arch: vgg16 }` and its kind"));
    };
    if let Some(tap) = &backbone.features {
        let message = format!("there is no classifier to convert: `features: {tap}` cuts the net before it");
        return Err(Problem::new(at, message));
    }
    convert_fc::convert(&backbone.arch.default_head(classes)).ok_or_else(|| {
        let name = backbone.arch.name();
        let message = format!("`{name}` has no classifier of linear layers over flattened features to convert");
        Problem::new(at, message).help(
            "`vgg11`, `vgg11_bn`, `vgg16`, `vgg16_bn` and `alexnet` have one; the head of \
            the others takes larger images as it is",
        )
    })
}

/// Heads that are likely to fit where the spec's does not.
fn stand_in_heads(spec: &Pipeline, classes: usize) -> Vec<Vec<AnyLayer>> {
    let mut heads = vec![pooled(classes), vec![Linear::new(classes).into()]];
    heads.extend(spec.backbone.as_ref().map(|backbone| backbone.arch.default_head(classes)));
    heads
}

/// What a net is made of, but for the size of the images and the head.
struct Net<'a> {
    spec: &'a Pipeline,
    classes: usize,
    surgery: Option<Surgery<'a>>,
}

impl Net<'_> {
    fn build(&self, input: Shape, head: &[AnyLayer]) -> Result<Graph, Problem> {
        let mut net = Builder::new(input);
        let mut body = Rebuilt { output: Source::Image, reshaped_by: None };
        if let Some(surgery) = &self.surgery {
            body = surgery.build(&mut net)?;
        } else if let Some(layers) = &self.spec.layers {
            let layers = self.resolved(layers);
            let added = match self.spec.task {
                Task::Classify => sequential::layers(&mut net, &layers, Source::Image),
                Task::Reconstruct => sequential::named(&mut net, "encoder", &layers, Source::Image),
            };
            body.output = added.map_err(|error| misfit("layers", &error))?;
        }
        // What comes as a vector already needs no pooling.
        let vector = matches!(net.shape(body.output), Shape::Features(_));
        let tapped = self.spec.backbone.as_ref().is_some_and(|backbone| backbone.features.is_some());
        let pooled = match &self.spec.head {
            Some(head) => head.fitted().is_some(),
            None => tapped,
        };
        let head = if vector && pooled { head.strip_prefix(&[GlobalAvgPool {}.into()]).unwrap_or(head) } else { head };
        if let (Task::Reconstruct, Some(decoder)) = (self.spec.task, &self.spec.decoder) {
            if self.surgery.is_some() {
                net.prefix(ENCODER);
            }
            let added = sequential::named(&mut net, "decoder", &self.resolved(decoder), body.output);
            added.map_err(|error| misfit("decoder", &error))?;
        }
        if !head.is_empty() {
            let added = sequential::head(&mut net, &self.resolved(head), body.output);
            added.map_err(|error| self.head_misfit(&error, body.reshaped_by))?;
        }
        Ok(net.finish())
    }

    fn resolved(&self, layers: &[AnyLayer]) -> Vec<AnyLayer> {
        layers.iter().map(|layer| layer.clone().with_classes(self.classes)).collect()
    }

    /// The problem with a layer of the head. A head that the spec does not have cannot be pointed at.
    fn head_misfit(&self, error: &SequentialError, reshaped_by: Option<usize>) -> Problem {
        let problem = misfit("head", error);
        match (&self.spec.head, &self.surgery, reshaped_by) {
            (Some(Head::Layers(_)), ..) => problem,
            (_, Some(surgery), Some(change)) => surgery.blame(change, error),
            (Some(Head::ConvertFc(true)), Some(surgery), None) => {
                Problem { path: Path::of("data.image.size"), ..problem }.help(surgery.least_size())
            }
            _ => Problem { path: Path::of("data.image.size"), ..problem },
        }
    }
}

/// The problem with a layer of a list: at the entry, or at the place in its `with`.
fn misfit(list: &str, error: &SequentialError) -> Problem {
    let entry = Path::of(list).index(error.index);
    let at = match error.with {
        Some(place) => entry.key(error.error.layer.as_str()).key("with").index(place),
        None => entry,
    };
    Problem::new(at, error.to_string())
}

/// Whether the net gives one output a class, or an image like its own.
fn check_output(spec: &Pipeline, graph: &Graph, classes: usize, problems: &mut Problems) {
    let output = graph.output();
    let last = |list: &str, len: usize| len.checked_sub(1).map_or(Path::of(list), |last| Path::of(list).index(last));
    if spec.task == Task::Reconstruct {
        if let (Some(decoder), true) = (&spec.decoder, output != graph.input) {
            let message = format!("the decoder gives {output}, and the images are {}", graph.input);
            let help = "end it with `conv2d` of as many channels as the images have, at their size";
            problems.push(Problem::new(last("decoder", decoder.len()), message).help(help));
        }
        return;
    }
    if output == Shape::Features(classes) {
        return;
    }
    let at = match (&spec.head, &spec.layers) {
        (Some(Head::Layers(head)), _) => last("head", head.len()),
        (Some(head), _) => head.key().map_or(Path::of("head"), |key| Path::of("head").key(key)),
        (None, Some(layers)) => last("layers", layers.len()),
        (None, None) => return,
    };
    let message = match output {
        Shape::Image { .. } => format!("the net ends in an image of {output}, not in an output for each class"),
        Shape::Features(count) => format!("the net has {count} outputs for {classes} classes"),
    };
    problems.push(Problem::new(at, message).help("end it with `linear: { out: classes }`"));
}
