//! What a weight file has for nets that are cut, and for a classifier made of convolutions.

use super::report::{read, report};
use super::save::{NamedTensor, Precision, save};
use crate::backbones::Arch;
use crate::heads::convert_fc;
use crate::layers::{AdaptiveAvgPool, AnyLayer, Conv2d, Flatten, GlobalAvgPool, Linear, Relu, Shape};
use crate::net::{self, Builder, Graph, Source, sequential};
use crate::spec::Allow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tempfile::TempDir;

/// A file of tensors that count up.
fn file(tensors: &[(&str, &[usize])]) -> (TempDir, PathBuf) {
    let numbered = |dims: &[usize]| (0..dims.iter().product()).map(|i: usize| i as f32).collect::<Vec<_>>();
    let tensors: Vec<_> =
        tensors.iter().map(|(name, dims)| NamedTensor::new(*name, dims.to_vec(), numbered(dims))).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    save(&path, &tensors, &BTreeMap::new(), Precision::Float32).unwrap();
    (folder, path)
}

/// A backbone of two convolutions, `layer1.conv` and `layer2.conv`.
fn backbone() -> Graph {
    let mut net = Builder::new(Shape::Image { height: 4, width: 4, channels: 1 });
    net.stage("layer1");
    let at = net.add("layer1.conv", Conv2d::new(2, 1).without_bias(), Source::Image).unwrap();
    net.stage("layer2");
    net.add("layer2.conv", Conv2d::new(3, 1).without_bias(), at).unwrap();
    net.finish()
}

/// A backbone under a head.
fn under(body: &Graph, head: &[AnyLayer]) -> Graph {
    let mut net = Builder::new(body.input);
    net.set_cut_off(body.cut_off.clone());
    let output = net::surgery::rebuild(body, &[], &mut net).unwrap().output;
    sequential::head(&mut net, head, output).unwrap();
    net.finish()
}

const FILE: &[(&str, &[usize])] = &[
    ("layer1.conv.weight", &[2, 1, 1, 1]),
    ("layer2.conv.weight", &[3, 2, 1, 1]),
    ("fc.weight", &[5, 2]),
    ("fc.bias", &[5]),
];

#[test]
fn what_is_cut_off_is_counted_and_not_unexpected() {
    let (_folder, path) = file(FILE);
    let cut = net::cut(&backbone(), 0).unwrap();
    // The classifier of the whole net would fit by its shape, but belongs to other features.
    let graph = under(&cut, &[GlobalAvgPool {}.into(), Linear::new(5).into()]);
    let report = report(&path, &graph, Some(Arch::Resnet18), &Allow::default()).unwrap();
    assert_eq!(report.to_string(), "matched 1 of 1 parameters (torchvision's names), 3 cut off");
    assert!(report.refused.is_empty() && report.unexpected.is_empty());
}

#[test]
fn what_is_nobodys_is_still_refused_where_a_net_is_cut() {
    let (_folder, path) = file(&[FILE, &[("layer3.conv.weight", &[1])]].concat());
    let cut = net::cut(&backbone(), 0).unwrap();
    let graph = under(&cut, &[GlobalAvgPool {}.into(), Linear::new(5).into()]);
    let cut = report(&path, &graph, Some(Arch::Resnet18), &Allow::default()).unwrap();
    assert_eq!(cut.refused, ["`layer3.conv.weight` of the file is not in the net"]);
    let (_folder, path) = file(FILE);
    let whole = under(&backbone(), &[GlobalAvgPool {}.into(), Linear::new(4).into()]);
    let whole = report(&path, &whole, Some(Arch::Resnet18), &Allow::default()).unwrap();
    assert_eq!((whole.cut_off, whole.refused.len()), (0, 2), "the classifier of a whole net is as it was");
}

/// The linear layers of the file become the convolutions of the head, the class layer only where it has
/// as many classes.
#[test]
fn a_classifier_is_loaded_into_convolutions() {
    let classifier = |classes: usize| -> Vec<AnyLayer> {
        let hidden = [Linear::new(5).into(), Relu {}.into(), Linear::new(6).into(), Relu {}.into()];
        let begin = [AdaptiveAvgPool::new(2).into(), Flatten {}.into()];
        begin.into_iter().chain(hidden).chain([Linear::new(classes).into()]).collect()
    };
    let (_folder, path) = file(&[
        ("layer1.conv.weight", &[2, 1, 1, 1]),
        ("layer2.conv.weight", &[3, 2, 1, 1]),
        ("classifier.0.weight", &[5, 12]),
        ("classifier.0.bias", &[5]),
        ("classifier.3.weight", &[6, 5]),
        ("classifier.3.bias", &[6]),
        ("classifier.6.weight", &[4, 6]),
        ("classifier.6.bias", &[4]),
    ]);
    let graph = |classes: usize| under(&backbone(), &convert_fc::convert(&classifier(classes)).unwrap());
    let same = graph(4);
    let whole = report(&path, &same, Some(Arch::Vgg11), &Allow::default()).unwrap();
    assert_eq!((whole.matched.len(), whole.refused.len()), (8, 0), "{whole}");
    let values = read(&path, &same, &whole).unwrap();
    let (_, first) = values.iter().find(|(param, _)| same.params[*param].name == "head.0.weight").unwrap();
    // (out, in, row, column) in the file is (row, column, in, out) in memory.
    let at = |row: usize, column: usize, input: usize, out: usize| ((row * 2 + column) * 3 + input) * 5 + out;
    assert_eq!(first[at(1, 0, 2, 4)].to_bits(), (f32::from(4_u8 * 12 + 2 * 4 + 2)).to_bits());

    let other = report(&path, &graph(3), Some(Arch::Vgg11), &Allow::default()).unwrap();
    assert_eq!(other.unexpected, ["classifier.6.weight", "classifier.6.bias"]);
    let allow = Allow { unexpected: vec!["classifier.6.*".into()], ..Allow::default() };
    let other = report(&path, &graph(3), Some(Arch::Vgg11), &allow).unwrap();
    assert_eq!((other.matched.len(), other.refused.len()), (6, 0), "{other}");
}
