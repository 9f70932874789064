//! The first convolution's weights, fitted to images of another number of channels.
//!
//! As timm's `adapt_input_conv`, for any number of channels in the file.

use crate::layers::{AnyLayer, Layout};
use crate::net::{Graph, ParamId, Source};
use crate::spec::Adapt;

/// A parameter whose values are adapted when they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adapted {
    /// The parameter.
    pub param: ParamId,
    /// Input channels in the file.
    pub from: usize,
    /// Input channels in the net.
    pub to: usize,
    /// How.
    pub how: Adapt,
}

/// How a parameter is to be adapted, if it is the weight of a convolution of the image that differs
/// from the file's in the number of input channels alone. Shapes are in file order.
pub(super) fn plan(graph: &Graph, param: ParamId, net: &[usize], file: &[usize], how: Adapt) -> Option<Adapted> {
    let node = graph.nodes.get(graph.params.get(param)?.node)?;
    let of_image = node.inputs == [Source::Image] && matches!(&node.layer, AnyLayer::Conv2d(_));
    let (&[out, to, rows, columns], &[file_out, from, file_rows, file_columns]) = (net, file) else { return None };
    let same = (out, rows, columns) == (file_out, file_rows, file_columns) && to == graph.input.channels();
    let fits = of_image && graph.params[param].def.layout == Layout::Conv && same && from > 0 && from != to;
    fits.then_some(Adapted { param, from, to, how })
}

/// The file's values (out, from, positions) as the net wants them: (out, to, positions).
pub(super) fn values(adapted: Adapted, stored: &[f32], positions: usize) -> Vec<f32> {
    let Adapted { from, to, how, .. } = adapted;
    let mut fitted = Vec::with_capacity(stored.len() / from.max(1) * to);
    for kernel in stored.chunks_exact((from * positions).max(1)) {
        let sum = |at: usize| kernel.iter().skip(at).step_by(positions).map(|&value| f64::from(value)).sum::<f64>();
        for channel in 0..to {
            fitted.extend((0..positions).map(|at| match how {
                Adapt::Sum if to == 1 => sum(at) as f32,
                Adapt::Sum => (f64::from(kernel[channel % from * positions + at]) * from as f64 / to as f64) as f32,
                Adapt::Mean => (sum(at) / from as f64) as f32,
            }));
        }
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Cpu, KernelSet, Tape, Tensor};
    use crate::layers::{BatchNorm, Conv2d, Shape};
    use crate::net::{Builder, Forward, Net, Params};
    use crate::random::{Key, Purpose};
    use crate::weights::layout;

    fn net(channels: usize) -> Graph {
        let mut net = Builder::new(Shape::Image { height: 9, width: 8, channels });
        let conv = net.add("conv1", Conv2d::new(5, 3).stride(2).without_bias(), Source::Image).unwrap();
        net.add("second", Conv2d::new(5, 3).without_bias(), conv).unwrap();
        net.finish()
    }

    #[test]
    fn the_first_convolution_is_adapted_and_nothing_else() {
        let plan = |param, net_dims: &[usize], file: &[usize]| plan(&net(1), param, net_dims, file, Adapt::Sum);
        let adapted = Adapted { param: 0, from: 3, to: 1, how: Adapt::Sum };
        assert_eq!(plan(0, &[5, 1, 3, 3], &[5, 3, 3, 3]), Some(adapted));
        assert_eq!(plan(0, &[5, 1, 3, 3], &[5, 3, 5, 5]), None, "another kernel");
        assert_eq!(plan(0, &[5, 1, 3, 3], &[6, 3, 3, 3]), None, "other outputs");
        assert_eq!(plan(0, &[5, 1, 3, 3], &[5, 1, 3, 3]), None, "nothing to adapt");
        assert_eq!(plan(1, &[5, 5, 3, 3], &[5, 3, 3, 3]), None, "not of the image");
        let mut depthwise = Builder::new(Shape::Image { height: 9, width: 8, channels: 2 });
        let conv = depthwise.add("dw", Conv2d::new(2, 3).depthwise().without_bias(), Source::Image).unwrap();
        depthwise.add("bn", BatchNorm::default(), conv).unwrap();
        let depthwise = depthwise.finish();
        assert_eq!(super::plan(&depthwise, 0, &[2, 1, 3, 3], &[2, 3, 3, 3], Adapt::Sum), None, "groups");
    }

    #[test]
    fn the_numbers_are_timms() {
        let stored = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
        let fit = |to, how| values(Adapted { param: 0, from: 3, to, how }, &stored, 2);
        assert_eq!(fit(1, Adapt::Sum), [6.0, 60.0]);
        assert_eq!(fit(2, Adapt::Sum), [1.5, 15.0, 3.0, 30.0]);
        assert_eq!(fit(6, Adapt::Sum), [0.5, 5.0, 1.0, 10.0, 1.5, 15.0, 0.5, 5.0, 1.0, 10.0, 1.5, 15.0]);
        assert_eq!(fit(1, Adapt::Mean), [2.0, 20.0]);
        assert_eq!(fit(2, Adapt::Mean), [2.0, 20.0, 2.0, 20.0]);
        let back = values(Adapted { param: 0, from: 1, to: 3, how: Adapt::Sum }, &[3.0, 6.0], 2);
        assert_eq!(back, [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    }

    fn output(graph: Graph, weight: &[f32], image: Vec<f32>) -> Vec<f32> {
        let device = Cpu::default();
        let Shape::Image { height, width, channels } = graph.input else { panic!() };
        let tensors = graph.params.iter().enumerate().map(|(id, param)| {
            let memory = if id == 0 {
                layout::to_memory(&param.def, weight)
            } else {
                (0..param.def.count()).map(|i| (i as f32 * 0.7).sin()).collect()
            };
            Tensor::from_vec(&device, memory, &param.def.dims).unwrap()
        });
        let net = Net { params: Params::new(tensors.collect()), graph };
        let images = Tensor::from_vec(&device, image, &[1, height, width, channels]).unwrap();
        let run = Forward {
            tape: &mut Tape::off(KernelSet::Fast),
            training: false,
            norms: &[],
            key: Key::new(0, Purpose::Layer),
            samples: &[0],
            joined: None,
        };
        net.forward(&images, run).map_err(|(_, error)| error).unwrap().logits.to_vec()
    }

    #[test]
    fn a_grey_image_gives_what_it_gave_as_three_equal_channels() {
        let mut random = Key::new(5, Purpose::Init).stream();
        let weight: Vec<f32> = (0..5 * 3 * 9).map(|_| random.normal()).collect();
        let grey: Vec<f32> = (0..72).map(|_| random.normal()).collect();
        let three = grey.iter().flat_map(|&value| [value; 3]).collect();
        let summed = values(Adapted { param: 0, from: 3, to: 1, how: Adapt::Sum }, &weight, 9);
        let (before, after) = (output(net(3), &weight, three), output(net(1), &summed, grey));
        let scale = before.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() <= 2e-6 * scale), "{before:?} {after:?}");
    }
}
