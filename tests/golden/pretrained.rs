//! EfficientNet-Lite0 with its real weights: the published file, and the float16 one that ships.
//!
//! `$RUNNER_LITE0_PTH` (default `/tmp/lite0/efficientnet-lite0-57934424.pth`) is the published
//! file; where it is missing, these tests say so and pass.

use crate::file;
use crate::formula::channels_last;
use crate::subject::{evaluate, graph};
use runner::backbones::Arch;
use runner::engine::{Cpu, KernelSet, Tensor};
use runner::layers::{AnyLayer, Shape};
use runner::net::{Graph, Net, Params};
use runner::spec::backbone::Allow;
use runner::weights;
use std::path::{Path, PathBuf};

const ARCH: Arch = Arch::EfficientnetLite0;
const SIZE: usize = 224;

/// Layers with weights on the way from the image to the features: the stem, a depthwise-separable
/// block, 15 blocks of three convolutions, the last convolution.
const DEPTH: f32 = 1.0 + 2.0 + 15.0 * 3.0 + 1.0;

/// How far rounding the weights to float16 may move the features, relative, in the 2-norm.
///
/// Rounding changes a value by at most 2^-11 of itself. In a layer that hits the convolution's
/// weights, and the scale, shift, mean and variance of its batch norm; the errors are independent
/// and so add up as squares, over five tensors a layer and [`DEPTH`] layers.
fn float16_bound() -> f32 {
    (5.0 * DEPTH).sqrt() * 2.0_f32.powi(-11)
}

fn published() -> Option<PathBuf> {
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
fn image() -> Tensor<Cpu> {
    let last = 3 * SIZE * SIZE - 1;
    let values: Vec<f32> = (0..=last).map(|i| (2.0 * i as f64 / last as f64 - 1.0) as f32).collect();
    let values = channels_last(&values, [1, 3, SIZE, SIZE]);
    Tensor::from_vec(&Cpu::default(), values, &[1, SIZE, SIZE, 3]).unwrap()
}

/// What the net gives for the image with the weights of a file.
fn run(path: &Path, head: &[AnyLayer], kernels: KernelSet) -> Vec<f32> {
    let graph = graph(ARCH, head, Shape::Image { height: SIZE, width: SIZE, channels: 3 });
    let params = load(path, &graph);
    evaluate(&Net { graph, params }, &image(), kernels).remove(0)
}

fn load(path: &Path, graph: &Graph) -> Params<Cpu> {
    let allow = Allow { unexpected: vec!["_fc.*".into()], ..Allow::default() };
    let report = weights::report::report(path, graph, Some(ARCH), &allow).unwrap();
    assert_eq!(report.refused, Vec::<String>::new());
    assert_eq!(report.matched.len(), graph.params.len(), "not all parameters are in {}", path.display());
    let mut values = weights::report::read(path, graph, &report).unwrap();
    values.sort_by_key(|(param, _)| *param);
    let tensors = values
        .into_iter()
        .map(|(param, values)| Tensor::from_vec(&Cpu::default(), values, &graph.params[param].def.dims).unwrap());
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

/// The published weights give the published logits.
#[test]
fn published_weights_give_the_golden_logits() {
    let (Some(path), Some(expected)) = (published(), file::pretrained_logits(ARCH)) else { return };
    for kernels in [KernelSet::Fast, KernelSet::Assembled] {
        let logits = run(&path, &ARCH.default_head(1000), kernels);
        crate::agreement::logits("pretrained logits", &[logits], std::slice::from_ref(&expected));
    }
}

/// The shipped weights are the published ones in float16, and give the same features.
#[test]
fn shipped_weights_give_the_published_features() {
    let Some(published) = published() else { return };
    let graph = graph(ARCH, &pool(), Shape::Image { height: SIZE, width: SIZE, channels: 3 });
    let (full, half) = (load(&published, &graph), load(&shipped(), &graph));
    for ((full, half), param) in full.tensors().iter().zip(half.tensors()).zip(&graph.params) {
        let rounded: Vec<f32> = full.to_vec().into_iter().map(|v| half::f16::from_f32(v).to_f32()).collect();
        assert_eq!(rounded, half.to_vec(), "{} is not the published one in float16", param.name);
    }
    for kernels in [KernelSet::Fast, KernelSet::Assembled] {
        let features = |path: &Path| run(path, &pool(), kernels);
        let (full, half) = (features(&published), features(&shipped()));
        assert_eq!(full.len(), 1280);
        let difference = relative_difference(&half, &full);
        eprintln!("float16 moves the features by {difference:e}, bound {:e}", float16_bound());
        assert!(difference > 0.0 && difference <= float16_bound(), "features off by {difference}");
    }
}

/// The shipped weights under the published classifier give the golden logits within rounding.
#[test]
fn shipped_weights_give_the_golden_logits() {
    let (Some(published), Some(expected)) = (published(), file::pretrained_logits(ARCH)) else { return };
    let graph = graph(ARCH, &ARCH.default_head(1000), Shape::Image { height: SIZE, width: SIZE, channels: 3 });
    let mut params = load(&published, &graph);
    let allow = Allow::default();
    let report = weights::report::report(&shipped(), &graph, Some(ARCH), &allow).unwrap();
    for (param, values) in weights::report::read(&shipped(), &graph, &report).unwrap() {
        params.set(param, Tensor::from_vec(&Cpu::default(), values, &graph.params[param].def.dims).unwrap());
    }
    let logits = evaluate(&Net { graph, params }, &image(), KernelSet::Fast).remove(0);
    let difference = relative_difference(&logits, &expected);
    eprintln!("float16 moves the logits by {difference:e}, bound {:e}", float16_bound());
    assert!(difference > 0.0 && difference <= float16_bound(), "logits off by {difference}");
}
