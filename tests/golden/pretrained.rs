//! EfficientNet-Lite0 with its real weights: the published file, and the float16 one that ships.
//!
//! `$RUNNER_LITE0_PTH` (default `/tmp/lite0/efficientnet-lite0-57934424.pth`) is the published
//! file; where it is missing, these tests say so and pass.

use crate::device::{Device, device, is_there};
use crate::formula::channels_last;
use crate::subject::{evaluate, graph};
use crate::{agreement, file};
use half::f16;
use runner::backbones::Arch;
use runner::engine::{KernelSet, Tensor};
use runner::layers::{AnyLayer, Shape};
use runner::net::{Graph, Net, Params};
use runner::random::{Key, Purpose};
use runner::spec::backbone::Allow;
use runner::weights;
use std::path::{Path, PathBuf};

const ARCH: Arch = Arch::EfficientnetLite0;
const SIZE: usize = 224;

fn published() -> Option<PathBuf> {
    if !is_there() {
        return None;
    }
    let default = || PathBuf::from("/tmp/lite0/efficientnet-lite0-57934424.pth");
    let path = std::env::var_os("RUNNER_LITE0_PTH").map_or_else(default, PathBuf::from);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: no {} (RUNNER_LITE0_PTH sets the path)", path.display());
    None
}

fn shipped() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines/assets/efficientnet_lite0.safetensors"))
}

/// `linspace(-1, 1, 3 * 224 * 224)` as (1, 3, 224, 224).
fn image() -> Tensor<Device> {
    let last = 3 * SIZE * SIZE - 1;
    let values: Vec<f32> = (0..=last).map(|i| (2.0 * i as f64 / last as f64 - 1.0) as f32).collect();
    let values = channels_last(&values, [1, 3, SIZE, SIZE]);
    Tensor::from_vec(&device(), values, &[1, SIZE, SIZE, 3]).unwrap()
}

/// The net under a head.
fn net(head: &[AnyLayer], params: impl FnOnce(&Graph) -> Params<Device>) -> Net<Device> {
    let graph = graph(ARCH, head, Shape::Image { height: SIZE, width: SIZE, channels: 3 });
    let params = params(&graph);
    Net { graph, params }
}

/// What the net gives for the image.
fn run(net: &Net<Device>, kernels: KernelSet) -> Vec<f32> {
    evaluate(net, &image(), kernels).remove(0)
}

fn load(path: &Path, graph: &Graph) -> Params<Device> {
    let allow = Allow { unexpected: vec!["_fc.*".into()], ..Allow::default() };
    let report = weights::report::report(path, graph, Some(ARCH), &allow).unwrap();
    assert_eq!(report.refused, Vec::<String>::new());
    assert_eq!(report.matched.len(), graph.params.len(), "not all parameters are in {}", path.display());
    let mut values = weights::report::read(path, graph, &report).unwrap();
    values.sort_by_key(|(param, _)| *param);
    let tensors = values
        .into_iter()
        .map(|(param, values)| Tensor::from_vec(&device(), values, &graph.params[param].def.dims).unwrap());
    Params::new(tensors.collect())
}

/// The head that gives the features themselves.
fn pool() -> Vec<AnyLayer> {
    ARCH.default_head(1).into_iter().take(1).collect()
}

fn relative_difference(a: &[f32], b: &[f32]) -> f32 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

/// How far rounding the parameters to float16 may move the output, relative, in the 2-norm: as far as
/// the worst of a few random errors of that size, up to 2^-11 of each value.
fn float16_bound(net: &Net<Device>) -> f32 {
    let exact = run(net, KernelSet::Fast);
    let moved = (0..4).map(|seed| {
        let mut random = Key::new(seed, Purpose::Augment).stream();
        let mut disturb = |value: f32| value * (1.0 + random.range(-1.0, 1.0) * 2.0_f32.powi(-11));
        let disturbed = net.params.tensors().iter().map(|tensor| {
            let values = tensor.to_vec().into_iter().map(&mut disturb).collect();
            Tensor::from_vec(&device(), values, tensor.dims()).unwrap()
        });
        let params = Params::new(disturbed.collect());
        relative_difference(&run(&Net { graph: net.graph.clone(), params }, KernelSet::Fast), &exact)
    });
    moved.fold(0.0, f32::max)
}

/// The published weights give the published logits.
#[test]
fn published_weights_give_the_golden_logits() {
    let (Some(path), Some(expected)) = (published(), file::pretrained_logits(ARCH)) else { return };
    let net = net(&ARCH.default_head(1000), |graph| load(&path, graph));
    for kernels in [KernelSet::Fast, KernelSet::Assembled] {
        let what = format!("{kernels:?} pretrained logits");
        agreement::logits(&what, &[run(&net, kernels)], std::slice::from_ref(&expected));
    }
}

/// The shipped weights are the published ones in float16.
#[test]
fn shipped_weights_are_the_published_ones() {
    let Some(published) = published() else { return };
    let full = net(&pool(), |graph| load(&published, graph));
    let half = net(&pool(), |graph| load(&shipped(), graph));
    let pairs = full.params.tensors().iter().zip(half.params.tensors());
    for ((full, half), param) in pairs.zip(&full.graph.params) {
        let rounded: Vec<f32> = full.to_vec().into_iter().map(|value| f16::from_f32(value).to_f32()).collect();
        assert_eq!(rounded, half.to_vec(), "{}", param.name);
    }
}

/// The shipped weights give the features of the published ones, within float16 rounding.
#[test]
fn shipped_weights_give_the_published_features() {
    let Some(published) = published() else { return };
    let full = net(&pool(), |graph| load(&published, graph));
    let half = net(&pool(), |graph| load(&shipped(), graph));
    let bound = float16_bound(&full);
    for kernels in [KernelSet::Fast, KernelSet::Assembled] {
        let (full, half) = (run(&full, kernels), run(&half, kernels));
        assert_eq!(full.len(), 1280);
        let difference = relative_difference(&half, &full);
        eprintln!("{kernels:?}: float16 moves the features by {difference:.1e}, bound {bound:.1e}");
        assert!(difference > 0.0 && difference <= bound, "features off by {difference}, bound {bound}");
    }
}

/// The shipped weights under the published classifier give the golden logits, within float16
/// rounding.
#[test]
fn shipped_weights_give_the_golden_logits() {
    let (Some(published), Some(expected)) = (published(), file::pretrained_logits(ARCH)) else { return };
    let full = net(&ARCH.default_head(1000), |graph| load(&published, graph));
    let bound = float16_bound(&full);
    let mut half = full;
    let features = net(&pool(), |graph| load(&shipped(), graph));
    // The head's parameters come last.
    for (param, tensor) in features.params.tensors().iter().enumerate() {
        half.params.set(param, tensor.clone());
    }
    let difference = relative_difference(&run(&half, KernelSet::Fast), &expected);
    eprintln!("float16 moves the logits by {difference:.1e}, bound {bound:.1e}");
    assert!(difference > 0.0 && difference <= bound, "logits off by {difference}, bound {bound}");
}
