//! `convert_fc`: a classifier of linear layers over flattened features, as convolutions.

use crate::layers::{AnyLayer, Conv2d, GlobalAvgPool, Linear, Units};
use crate::spec::size::Size;

/// The layers of a classifier made of convolutions: over features of the classifier's own size they
/// give what it gives; over larger ones they slide, and the mean over all positions is the output (Long
/// et al. 2015, "fully convolutional"; `OverFeat` before it).
///
/// The first linear layer becomes a convolution as large as the features, the others become 1x1; their
/// weights are the same numbers in the same order in a weight file. The adaptive pooling before the
/// classifier goes, as there would be nothing left to slide over. `None` where the layers do not begin
/// with such a pooling and a flatten, or are more than linear layers and what works value by value.
pub fn convert(classifier: &[AnyLayer]) -> Option<Vec<AnyLayer>> {
    let [AnyLayer::AdaptiveAvgPool(pool), AnyLayer::Flatten(_), rest @ ..] = classifier else { return None };
    let mut kernel = pool.out;
    let mut converted = Vec::with_capacity(rest.len() + 1);
    for layer in rest {
        converted.push(match layer {
            AnyLayer::Linear(linear) => convolution(linear, std::mem::replace(&mut kernel, Size([1, 1])))?.into(),
            AnyLayer::Dropout(_) | AnyLayer::Relu(_) => layer.clone(),
            _ => return None,
        });
    }
    converted.push(GlobalAvgPool {}.into());
    Some(converted)
}

fn convolution(linear: &Linear, kernel: Size) -> Option<Conv2d> {
    let Units::Count(out) = linear.out else { return None };
    Some(Conv2d { bias: linear.bias, ..Conv2d::new(out, kernel) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbones::Arch;
    use crate::engine::{Cpu, KernelSet, Tape, Tensor};
    use crate::layers::{AdaptiveAvgPool, Dropout, Flatten, MaxPool, Relu, Shape};
    use crate::net::{Builder, Forward, Graph, Net, Params, Source, sequential};
    use crate::random::{Key, Purpose};
    use crate::weights::layout;

    const CHANNELS: usize = 3;

    /// A classifier over features of 3x2, as VGG's is over 7x7.
    fn classifier() -> Vec<AnyLayer> {
        vec![
            AdaptiveAvgPool::new(Size([3, 2])).into(),
            Flatten {}.into(),
            Linear::new(7).into(),
            Relu {}.into(),
            Dropout(0.5).into(),
            Linear::new(6).into(),
            Relu {}.into(),
            Linear::new(4).into(),
        ]
    }

    fn graph(layers: &[AnyLayer], height: usize, width: usize, channels: usize) -> Graph {
        let mut net = Builder::new(Shape::Image { height, width, channels });
        sequential::head(&mut net, layers, Source::Image).unwrap();
        net.finish()
    }

    /// A net whose weights are those of a file: numbers by the tensor's place and shape in the file.
    fn loaded(graph: Graph) -> Net<Cpu> {
        let tensors = graph.params.iter().enumerate().map(|(place, param)| {
            let mut stream = Key::new(9, Purpose::Check).with(place as u64).stream();
            let in_file: Vec<f32> = (0..param.def.count()).map(|_| stream.normal() * 0.3).collect();
            Tensor::from_vec(&Cpu::default(), layout::to_memory(&param.def, &in_file), &param.def.dims).unwrap()
        });
        let params = Params::new(tensors.collect());
        Net { graph, params }
    }

    fn run(net: &Net<Cpu>, image: &[f32], nodes: usize) -> Vec<f32> {
        let Shape::Image { height, width, channels } = net.graph.input else { panic!() };
        let images = Tensor::from_vec(&Cpu::default(), image.to_vec(), &[1, height, width, channels]).unwrap();
        let mut tape = Tape::off(KernelSet::Fast);
        let key = Key::new(0, Purpose::Layer);
        let pass = Forward { tape: &mut tape, training: false, norms: &[], key, samples: &[0], joined: None };
        let part = net.forward_range(0..nodes, vec![(Source::Image, images)], pass).unwrap();
        part.live[0].1.to_vec()
    }

    fn noise(count: usize) -> Vec<f32> {
        let mut stream = Key::new(4, Purpose::Check).stream();
        (0..count).map(|_| stream.normal()).collect()
    }

    /// The part of an image (height, `width`, channels) that begins at `top`, `left`.
    fn crop(image: &[f32], width: usize, [top, left]: [usize; 2], [rows, columns]: [usize; 2]) -> Vec<f32> {
        let row = |y: usize| &image[(y * width + left) * CHANNELS..(y * width + left + columns) * CHANNELS];
        (top..top + rows).flat_map(|y| row(y).to_vec()).collect()
    }

    fn assert_near(found: &[f32], known: &[f32]) {
        assert_eq!(found.len(), known.len());
        for (found, known) in found.iter().zip(known) {
            assert!((found - known).abs() < 1e-5, "{found} is not {known}");
        }
    }

    #[test]
    fn at_its_own_size_it_is_the_classifier() {
        let image = noise(3 * 2 * CHANNELS);
        let linear = loaded(graph(&classifier(), 3, 2, CHANNELS));
        let convolution = loaded(graph(&convert(&classifier()).unwrap(), 3, 2, CHANNELS));
        assert_eq!(convolution.graph.output(), Shape::Features(4));
        let (linear, convolution) = (run(&linear, &image, 8), run(&convolution, &image, 7));
        assert_near(&convolution, &linear);
    }

    /// On larger features each position is the classifier on the features under it, and the output is
    /// the mean.
    #[test]
    fn each_position_is_the_classifier_on_a_crop() {
        let image = noise(5 * 6 * CHANNELS);
        let linear = loaded(graph(&classifier(), 3, 2, CHANNELS));
        let convolution = loaded(graph(&convert(&classifier()).unwrap(), 5, 6, CHANNELS));
        let positions = run(&convolution, &image, 6);
        let crops = (0..3).flat_map(|top| (0..5).map(move |left| [top, left]));
        let crops: Vec<Vec<f32>> = crops.map(|at| run(&linear, &crop(&image, 6, at, [3, 2]), 8)).collect();
        assert_near(&positions, &crops.concat());
        let mean: Vec<f32> = (0..4).map(|k| crops.iter().map(|crop| crop[k]).sum::<f32>() / 15.0).collect();
        assert_near(&run(&convolution, &image, 7), &mean);
    }

    /// Under a backbone without padding, a step of one position is a step of its stride in the image.
    #[test]
    fn under_a_backbone_without_padding_crops_of_the_image_are_the_same() {
        let body: [AnyLayer; 3] = [Conv2d::new(CHANNELS, 3).into(), Relu {}.into(), pool().into()];
        let with = |head: Vec<AnyLayer>| [&body[..], &head].concat();
        let linear = loaded(graph(&with(classifier()), 8, 6, CHANNELS));
        let convolution = loaded(graph(&with(convert(&classifier()).unwrap()), 12, 10, CHANNELS));
        let image = noise(12 * 10 * CHANNELS);
        let positions = run(&convolution, &image, 9);
        let crops = (0..3).flat_map(|top| (0..3).map(move |left| [2 * top, 2 * left]));
        let crops: Vec<f32> = crops.flat_map(|at| run(&linear, &crop(&image, 10, at, [8, 6]), 11)).collect();
        assert_near(&positions, &crops);
    }

    fn pool() -> MaxPool {
        serde_yaml::from_str("{ size: 2 }").unwrap()
    }

    #[test]
    fn only_vgg_and_alexnet_have_such_a_classifier() {
        for arch in Arch::ALL {
            let converted = convert(&arch.default_head(10));
            let has = arch == Arch::Alexnet || arch.name().starts_with("vgg");
            assert_eq!(converted.is_some(), has, "{}", arch.name());
            let Some(layers) = converted else { continue };
            let side = if arch == Arch::Alexnet { 6 } else { 7 };
            let kernels: Vec<usize> = layers
                .iter()
                .filter_map(|layer| match layer {
                    AnyLayer::Conv2d(conv) => Some(conv.kernel.0[0]),
                    _ => None,
                })
                .collect();
            assert_eq!(kernels, [side, 1, 1], "{}", arch.name());
        }
    }
}
