//! Finds for each parameter of a net the tensor of a weight file that it takes.

use super::file::WeightFile;
use super::names::{NameMap, maps};
use super::{Dtype, Take, layout};
use crate::backbones::Arch;
use crate::layers::Layout;
use crate::net::{Graph, Origin, ParamId};
use indexmap::IndexMap;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// The stage that belongs to the task rather than to the backbone.
pub(super) const HEAD: &str = "head";

/// Buffers that count training steps: torch has them, and they mean nothing here.
const COUNTERS: &str = "num_batches_tracked";

/// What `torch.nn.DataParallel` puts before every name.
const WRAPPER: &str = "module.";

/// A tensor of the file.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub dims: Vec<usize>,
    pub dtype: Dtype,
    /// Our name of it, if the name map knows one.
    pub ours: Option<String>,
}

/// Which tensors a net's parameters take, under the name map that suits the file best.
#[derive(Debug)]
pub(super) struct Matching {
    pub label: &'static str,
    /// The file's tensors by their own names, counters left out.
    pub stored: IndexMap<String, Stored>,
    /// The file's names, by our names.
    by_ours: HashMap<String, String>,
    /// The file's names of the framework's classifier.
    classifier: HashSet<String>,
}

impl Matching {
    /// The file's tensor for one of our names.
    pub fn source(&self, ours: &str) -> Option<(&str, &Stored)> {
        let name = self.by_ours.get(ours)?;
        self.stored.get(name).map(|stored| (name.as_str(), stored))
    }

    /// Whether a tensor of the file is the architecture's own, but of what the net was cut before: with
    /// it goes the framework's classifier.
    pub fn is_cut_off(&self, name: &str, graph: &Graph) -> bool {
        let ours = self.stored.get(name).and_then(|stored| stored.ours.as_ref());
        let gone = |ours: &String| graph.cut_off.contains(ours);
        !graph.cut_off.is_empty() && (ours.is_some_and(gone) || self.classifier.contains(name))
    }

    fn none() -> Matching {
        Matching { label: "no names", stored: IndexMap::new(), by_ours: HashMap::new(), classifier: HashSet::new() }
    }

    fn new(map: &NameMap, file: &WeightFile, graph: &Graph, take: &Take) -> Matching {
        let wrapped = file.tensors().all(|(name, ..)| name.starts_with(WRAPPER));
        let plain = |name: &str| {
            let name = if wrapped { &name[WRAPPER.len()..] } else { name };
            take.name(name).map(Cow::into_owned)
        };
        let mut matching = Matching { label: map.label, ..Matching::none() };
        let mut plain_names = HashMap::new();
        for (name, dims, dtype) in file.tensors().filter(|(name, ..)| !name.ends_with(COUNTERS)) {
            let Some(plain) = plain(name) else { continue };
            let ours = map.rename(&plain);
            if let Some(ours) = &ours {
                matching.by_ours.entry(ours.clone()).or_insert_with(|| name.to_owned());
            }
            if map.classifier.iter().any(|layer| layer_of(&plain) == Some(*layer)) {
                matching.classifier.insert(name.to_owned());
            }
            plain_names.insert(plain, name.to_owned());
            matching.stored.insert(name.to_owned(), Stored { dims: dims.to_vec(), dtype, ours });
        }
        matching.add_classifier(map, graph, &plain_names);
        matching
    }

    /// Holds the framework's classifier against the linear layers of the head, or against its
    /// convolutions where it has no linear layer: where there are as many, those of the same shape take
    /// the file's values.
    fn add_classifier(&mut self, map: &NameMap, graph: &Graph, names: &HashMap<String, String>) {
        let layers = head_layers(graph);
        // On a part of the backbone it would be the classifier of other features.
        if layers.len() != map.classifier.len() || !graph.cut_off.is_empty() {
            return;
        }
        for (theirs, params) in map.classifier.iter().zip(layers) {
            let source = |param: ParamId| {
                let name = names.get(&format!("{theirs}.{}", graph.params[param].def.name))?;
                let fits = fits(&layout::file_dims(&graph.params[param].def), &self.stored.get(name)?.dims);
                fits.then(|| (graph.params[param].name.clone(), name.clone()))
            };
            if let Some(found) = params.into_iter().map(source).collect::<Option<Vec<_>>>() {
                for (ours, name) in found {
                    self.by_ours.entry(ours).or_insert(name);
                }
            }
        }
    }
}

/// The matching under which most of the net's parameters find a tensor.
pub(super) fn best(file: &WeightFile, graph: &Graph, arch: Option<Arch>, take: &Take) -> Matching {
    let found =
        |matching: &Matching| graph.params.iter().filter(|param| matching.by_ours.contains_key(&param.name)).count();
    let mut maps = maps(arch).into_iter().map(|map| Matching::new(&map, file, graph, take));
    let first = maps.next().unwrap_or_else(Matching::none);
    maps.fold(first, |best, other| if found(&other) > found(&best) { other } else { best })
}

/// Whether values of the file's shape can be taken as they are: linear layers are also written as
/// convolutions over the whole image (timm's VGG) or over one pixel (squeeze-excite).
pub(super) fn fits(net: &[usize], file: &[usize]) -> bool {
    let product = |dims: &[usize]| dims.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
    let across = matches!((net.len(), file.len()), (2, 4) | (4, 2));
    net == file || across && net.first() == file.first() && product(net) == product(file)
}

/// Whether a parameter belongs to the head.
pub(super) fn in_head(graph: &Graph, param: ParamId) -> bool {
    graph.stages.get(graph.stage_of(param)).is_some_and(|stage| stage.name == HEAD)
}

/// Whether a pretrained file may lack a parameter: it belongs to the head, or to a layer that the
/// spec put into the backbone.
pub(super) fn may_be_missing(graph: &Graph, param: ParamId) -> bool {
    in_head(graph, param) || origin(graph, param) != Origin::Designed
}

/// Whether a parameter belongs to a layer in the place of another.
pub(super) fn is_replaced(graph: &Graph, param: ParamId) -> bool {
    origin(graph, param) == Origin::Replaced
}

fn origin(graph: &Graph, param: ParamId) -> Origin {
    let node = graph.params.get(param).and_then(|param| graph.nodes.get(param.node));
    node.map(|node| node.origin).unwrap_or_default()
}

/// The layer whose tensor this is.
fn layer_of(tensor: &str) -> Option<&str> {
    tensor.rsplit_once('.').map(|(layer, _)| layer)
}

/// The parameters of each linear layer of the head, in order; of each convolution where it has none.
fn head_layers(graph: &Graph) -> Vec<Vec<ParamId>> {
    let with = |wanted: fn(Layout) -> bool| -> Vec<Vec<ParamId>> {
        let is_wanted = |&param: &ParamId| wanted(graph.params[param].def.layout);
        graph
            .nodes
            .iter()
            .map(|node| node.params.clone().collect::<Vec<_>>())
            .filter(|params| params.iter().any(is_wanted) && params.iter().all(|&param| in_head(graph, param)))
            .collect()
    };
    let linears = with(|layout| matches!(layout, Layout::Linear | Layout::LinearAfterFlatten { .. }));
    if linears.is_empty() { with(|layout| layout == Layout::Conv) } else { linears }
}
