//! The kernels of a GPU, and those assembled for it, against those of the CPU. Without a GPU these tests say so and
//! pass.

use super::check::{OperationOn, close, normal, run, tensors};
use crate::device::{open_cpu, open_cuda};
use crate::{
    Activation, AdamWStep, Broadcast, Cpu, Cuda, Gradients, Interpolation, KernelSet, Kernels, Normalization, Padding,
    Pull, Room, SgdStep, Tape, Tensor, Window,
};
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Operands = Vec<(Vec<usize>, Vec<f32>)>;

/// The GPU, for one test at a time: the precision is a setting of the process.
struct Turn {
    device: Cuda,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Turn {
    type Target = Cuda;

    fn deref(&self) -> &Cuda {
        &self.device
    }
}

/// The GPU, if there is one.
fn gpu() -> Option<Turn> {
    static TURNS: Mutex<()> = Mutex::new(());
    let turn = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    match open_cuda(0) {
        Ok(device) => Some(Turn { device, _turn: turn }),
        Err(error) => {
            eprintln!("not tested: {error}");
            None
        }
    }
}

/// Panics where output or gradients of an operation on the GPU are not those on the CPU.
fn compare(name: &str, operands: &Operands, wanting: usize, on_cpu: OperationOn<Cpu>, on_gpu: OperationOn<Cuda>) {
    let Some(gpu) = gpu() else { return };
    let wanting: Vec<usize> = (0..wanting).collect();
    let plain = on_cpu(&mut Tape::off(KernelSet::Fast), &tensors(&open_cpu().unwrap(), operands, &wanting)).unwrap();
    let weights = normal(99, &[plain.len()]).1;
    let cpu = tensors(&open_cpu().unwrap(), operands, &wanting);
    let (expected, expected_gradients) = run(KernelSet::Fast, on_cpu, &cpu, &weights);
    for kernels in [KernelSet::Fast, KernelSet::Assembled] {
        let what = format!("{name} {kernels:?}");
        let off = on_gpu(&mut Tape::off(kernels), &tensors(&*gpu, operands, &wanting)).unwrap();
        near(&format!("{what}, tape off"), &off.to_vec(), &plain.to_vec());
        let (y, gradients) = run(kernels, on_gpu, &tensors(&*gpu, operands, &wanting), &weights);
        near(&what, &y, &expected);
        for (operand, (found, expected)) in gradients.iter().zip(&expected_gradients).enumerate() {
            near(&format!("{what}, gradient {operand}"), found, expected);
        }
        if kernels == KernelSet::Fast {
            let again = run(kernels, on_gpu, &tensors(&*gpu, operands, &wanting), &weights);
            assert!(again.0 == y && again.1 == gradients, "{what}: other bits in a second run");
            // With gradients there before.
            for &alone in &wanting {
                let (_, only) = run(kernels, on_gpu, &tensors(&*gpu, operands, &[alone]), &weights);
                near(&format!("{what}, gradient {alone} alone"), &only[alone], &expected_gradients[alone]);
            }
        }
    }
}

fn near(what: &str, found: &[f32], expected: &[f32]) {
    let expected: Vec<f64> = expected.iter().map(|&value| f64::from(value)).collect();
    close(what, found, &expected, 2e-5);
}

/// Compares an operation, written once for a device `D`.
macro_rules! compare {
    ($name:expr, $operands:expr, $wanting:expr, |$tape:ident, $o:ident| $body:expr) => {
        compare(
            $name,
            &$operands,
            $wanting,
            &|$tape: &mut Tape<Cpu>, $o: &[Tensor<Cpu>]| {
                type D = Cpu;
                $body
            },
            &|$tape: &mut Tape<Cuda>, $o: &[Tensor<Cuda>]| {
                type D = Cuda;
                $body
            },
        )
    };
}

mod foreign;

fn window(kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2], padding: [usize; 4]) -> Window {
    let [top, left, bottom, right] = padding;
    Window { kernel, stride, dilation, padding: Padding { top, left, bottom, right } }
}

fn square(kernel: usize, stride: usize, padding: usize) -> Window {
    window([kernel; 2], [stride; 2], [1; 2], [padding; 4])
}

const ACTIVATIONS: [Option<Activation>; 6] = [
    None,
    Some(Activation::Relu),
    Some(Activation::Relu6),
    Some(Activation::Silu),
    Some(Activation::Sigmoid),
    Some(Activation::Hardswish),
];

#[test]
fn convolutions() {
    let cases = [
        ([2, 7, 6, 5], 3, 1, square(3, 1, 1)),
        ([2, 8, 9, 3], 16, 1, square(7, 2, 3)),
        ([3, 9, 8, 8], 12, 1, square(3, 2, 1)),
        ([2, 9, 8, 8], 12, 1, square(1, 2, 0)),
        ([2, 9, 8, 16], 32, 1, square(1, 1, 0)),
        ([2, 9, 8, 12], 8, 4, square(3, 1, 1)),
        ([2, 9, 8, 16], 8, 4, square(3, 1, 1)),
        ([2, 9, 8, 6], 4, 2, square(1, 1, 0)),
        ([2, 11, 12, 4], 8, 1, window([3, 2], [1, 2], [2, 3], [1, 2, 0, 3])),
        ([2, 6, 7, 10], 10, 10, square(3, 1, 1)),
        ([2, 6, 7, 12], 12, 12, window([3, 5], [2, 1], [1, 2], [1, 3, 2, 4])),
        ([4, 30, 30, 64], 64, 64, square(3, 1, 1)),
        ([4, 28, 28, 64], 64, 1, square(3, 1, 1)),
        ([4, 29, 28, 64], 128, 1, square(3, 2, 1)),
        ([2, 14, 14, 256], 256, 1, square(3, 1, 1)),
        ([2, 64, 64, 3], 64, 1, square(7, 2, 3)),
        ([16, 7, 7, 32], 40, 1, square(3, 1, 1)),
        ([2, 5, 5, 130], 70, 1, square(3, 1, 1)),
        ([3, 13, 11, 20], 36, 1, window([3, 2], [2, 1], [1, 2], [1, 2, 0, 3])),
        ([8, 20, 20, 128], 132, 1, square(3, 1, 1)),
        ([8, 14, 14, 512], 128, 1, square(1, 1, 0)),
        ([8, 28, 28, 256], 512, 1, square(1, 2, 0)),
        ([8, 56, 56, 64], 64, 1, square(3, 1, 1)),
    ];
    for (dims, outputs, groups, window) in cases {
        let weight = [window.kernel[0], window.kernel[1], dims[3] / groups, outputs];
        let operands = vec![normal(1, &dims), normal(2, &weight)];
        let name = format!("convolution of {dims:?} to {outputs} by {groups} groups, {window:?}");
        compare!(&name, operands, 2, |tape, o| D::conv2d(tape, &o[0], &o[1], &window, groups));
    }
}

/// With factors of 10 bits, sums of products are off by about a thousandth.
#[test]
fn convolutions_of_less_precision() {
    let Some(gpu) = gpu() else { return };
    for (dims, outputs, window) in [
        ([3, 13, 11, 20], 36, window([3, 2], [2, 1], [1, 2], [1, 2, 0, 3])),
        ([8, 20, 20, 128], 132, square(3, 1, 1)),
        ([64, 28, 28, 128], 128, square(3, 1, 1)),
        ([16, 56, 56, 64], 64, square(3, 1, 1)),
        ([8, 14, 14, 512], 128, square(1, 1, 0)),
        ([8, 28, 28, 256], 512, square(1, 2, 0)),
        ([4, 32, 32, 3], 64, square(7, 2, 3)),
    ] {
        let operands = vec![normal(1, &dims), normal(2, &[window.kernel[0], window.kernel[1], dims[3], outputs])];
        let all = |precision: crate::Precision| {
            precision.set();
            let o = tensors(&*gpu, &operands, &[0, 1]);
            let y = Cuda::conv2d(&mut Tape::off(KernelSet::Fast), &o[0], &o[1], &window, 1).unwrap();
            let weights = normal(99, &[y.len()]).1;
            let found = run(KernelSet::Fast, &|tape, o| Cuda::conv2d(tape, &o[0], &o[1], &window, 1), &o, &weights);
            crate::Precision::F32.set();
            found
        };
        let ((exact, exact_gradients), (y, gradients)) = (all(crate::Precision::F32), all(crate::Precision::Tf32));
        let name = format!("convolution of {dims:?} to {outputs} in TF32");
        for (found, expected) in std::iter::once((&y, &exact)).chain(gradients.iter().zip(&exact_gradients)) {
            let expected: Vec<f64> = expected.iter().map(|&value| f64::from(value)).collect();
            close(&name, found, &expected, 2e-3);
            assert!(found.iter().zip(&expected).any(|(a, b)| f64::from(*a) != *b), "{name}: no difference at all");
        }
    }
}

#[test]
fn transposed_convolutions() {
    for (dims, outputs, size, window) in [
        ([2, 4, 3, 6], 5, [8, 6], square(2, 2, 0)),
        ([2, 4, 5, 8], 12, [8, 9], square(3, 2, 1)),
        ([4, 14, 14, 64], 32, [28, 28], square(4, 2, 1)),
    ] {
        let weight = [window.kernel[0], window.kernel[1], outputs, dims[3]];
        let operands = vec![normal(1, &dims), normal(2, &weight)];
        let name = format!("transposed convolution of {dims:?} to {size:?}");
        compare!(&name, operands, 2, |tape, o| D::conv_transpose2d(tape, &o[0], &o[1], &window, size));
    }
}

#[test]
fn products_and_biases() {
    for [rows, inputs, outputs] in [[1, 1, 1], [5, 7, 3], [64, 512, 10], [3, 2048, 1000]] {
        let operands = vec![normal(1, &[rows, inputs]), normal(2, &[inputs, outputs])];
        compare!("matmul", operands, 2, |tape, o| D::matmul(tape, &o[0], &o[1]));
        let operands = vec![normal(1, &[rows, inputs]), normal(2, &[inputs])];
        compare!("bias", operands, 2, |tape, o| D::add_bias(tape, &o[0], &o[1]));
    }
    let operands = vec![normal(1, &[8, 28, 28, 24]), normal(2, &[24])];
    compare!("bias of images", operands, 2, |tape, o| D::add_bias(tape, &o[0], &o[1]));
}

#[test]
fn batch_norms() {
    for dims in [vec![6, 5], vec![2, 5, 6, 7], vec![3, 5, 6, 8], vec![8, 28, 28, 64], vec![4, 7, 7, 2048], vec![64, 12]]
    {
        let channels = *dims.last().unwrap();
        let mut operands = vec![normal(1, &dims)];
        operands.extend((2..6).map(|seed| normal(seed, &[channels])));
        operands[4].1.iter_mut().for_each(|variance| *variance = variance.abs() + 0.1);
        for activation in ACTIVATIONS {
            let name = format!("batch norm of {dims:?}, {activation:?}");
            compare!(&name, operands, 3, |tape, o| {
                D::batch_norm_inference(tape, &o[0], &o[1], &o[2], &o[3], &o[4], 1e-3, activation)
            });
            let name = format!("batch norm by the batch of {dims:?}, {activation:?}");
            compare!(&name, operands[..3].to_vec(), 3, |tape, o| {
                Ok(D::batch_norm_training(tape, &o[0], &o[1], &o[2], 1e-3, activation)?.0)
            });
        }
        compare!("means", operands[..3].to_vec(), 0, |tape, o| {
            Ok(D::batch_norm_training(tape, &o[0], &o[1], &o[2], 1e-3, None)?.1.mean)
        });
        compare!("variances", operands[..3].to_vec(), 0, |tape, o| {
            Ok(D::batch_norm_training(tape, &o[0], &o[1], &o[2], 1e-3, None)?.1.variance)
        });
    }
}

#[test]
fn a_mean_much_larger_than_the_deviation_loses_nothing() {
    let (dims, mut values) = normal(1, &[16, 20, 20, 8]);
    for value in &mut values {
        *value += 1000.0;
    }
    let operands = vec![(dims, values), normal(2, &[8]), normal(3, &[8])];
    let Some(gpu) = gpu() else { return };
    let o = tensors(&*gpu, &operands, &[]);
    let statistics =
        Cuda::batch_norm_training(&mut Tape::off(KernelSet::Fast), &o[0], &o[1], &o[2], 1e-5, None).unwrap().1;
    for (channel, variance) in statistics.variance.to_vec().into_iter().enumerate() {
        let own = || operands[0].1.iter().skip(channel).step_by(8).map(|&value| f64::from(value));
        let mean = own().sum::<f64>() / own().count() as f64;
        let expected = own().map(|value| (value - mean).powi(2)).sum::<f64>() / own().count() as f64;
        assert!((f64::from(variance) / expected - 1.0).abs() < 1e-5, "{variance} for {expected}");
    }
}

#[test]
fn a_convolution_with_batch_norm_is_that_of_the_cpu() {
    for (channels, outputs, groups) in [(8, 12, 1), (10, 10, 10), (16, 16, 1)] {
        let mut operands = vec![normal(1, &[3, 9, 8, channels]), normal(2, &[3, 3, channels / groups, outputs])];
        operands.extend((3..7).map(|seed| normal(seed, &[outputs])));
        operands[5].1.iter_mut().for_each(|variance| *variance = variance.abs() + 0.1);
        operands.push(normal(8, &[3, 9, 8, outputs]));
        let window = square(3, 1, 1);
        for (residual, activation) in [(false, None), (true, Some(Activation::Relu)), (false, Some(Activation::Silu))] {
            compare!("convolution with batch norm", operands, 0, |tape, o| {
                let norm = Normalization { scale: &o[2], shift: &o[3], mean: &o[4], variance: &o[5], eps: 1e-3 };
                D::conv2d_batch_norm(tape, &o[0], &o[1], &window, groups, &norm, residual.then_some(&o[6]), activation)
            });
        }
    }
}

#[test]
fn activations_and_sums() {
    for dims in [vec![3, 7], vec![2, 5, 6, 8]] {
        let operands = vec![normal(1, &dims), normal(2, &dims)];
        for activation in ACTIVATIONS {
            if let Some(activation) = activation {
                compare!(&format!("{activation:?}"), operands[..1].to_vec(), 1, |tape, o| {
                    D::activate(tape, &o[0], activation)
                });
            }
            compare!(&format!("sum, {activation:?}"), operands, 2, |tape, o| D::add(tape, &o[0], &o[1], activation));
            compare!(&format!("twice, {activation:?}"), operands[..1].to_vec(), 1, |tape, o| {
                D::add(tape, &o[0], &o[0], activation)
            });
        }
    }
}

#[test]
fn products_with_factors_and_joins() {
    let images = normal(1, &[3, 4, 5, 6]);
    for (broadcast, factor) in
        [(Broadcast::Element, vec![3, 4, 5, 6]), (Broadcast::Sample, vec![3]), (Broadcast::SampleChannel, vec![3, 6])]
    {
        let operands = vec![images.clone(), normal(2, &factor)];
        compare!(&format!("{broadcast:?}"), operands, 2, |tape, o| D::scale(tape, &o[0], &o[1], broadcast));
    }
    let operands = vec![images.clone(), normal(2, &[3, 4, 5, 2]), normal(3, &[3, 4, 5, 7])];
    compare!("concat", operands, 3, |tape, o| D::concat(tape, o));
    compare!("concat twice", vec![images], 1, |tape, o| D::concat(tape, &[o[0].clone(), o[0].clone()]));
}

#[test]
fn pools_and_larger_images() {
    for (dims, window) in [
        ([2, 7, 6, 5], square(2, 2, 0)),
        ([2, 8, 9, 4], square(3, 2, 1)),
        ([2, 9, 7, 3], window([3, 2], [1, 2], [2, 1], [1, 0, 0, 1])),
        ([4, 56, 56, 64], square(3, 2, 1)),
    ] {
        let operands = vec![normal(1, &dims)];
        compare!("max pool", operands, 1, |tape, o| D::max_pool(tape, &o[0], &window));
        for count_padding in [false, true] {
            compare!("average pool", operands, 1, |tape, o| D::avg_pool(tape, &o[0], &window, count_padding));
        }
        for output in [[1, 1], [2, 3], [5, 4]] {
            compare!("cells", operands, 1, |tape, o| D::adaptive_avg_pool(tape, &o[0], output));
        }
    }
    for factor in [[2, 2], [1, 3], [4, 2]] {
        for interpolation in [Interpolation::Nearest, Interpolation::Bilinear] {
            let operands = vec![normal(1, &[2, 4, 5, 3])];
            compare!("upsample", operands, 1, |tape, o| D::upsample(tape, &o[0], factor, interpolation));
        }
    }
}

#[test]
fn losses() {
    for dims in [[4, 3], [64, 10], [5, 1000]] {
        let targets: Vec<f32> = normal(2, &dims).1.iter().map(|value| value.abs() / dims[0] as f32).collect();
        let operands = vec![normal(1, &dims), (dims.to_vec(), targets)];
        compare!("cross-entropy", operands, 1, |tape, o| D::cross_entropy(tape, &o[0], &o[1]));
        for gamma in [0.0, 2.0] {
            compare!("focal loss", operands, 1, |tape, o| D::focal_loss(tape, &o[0], &o[1], gamma));
        }
        compare!("squared error", operands, 1, |tape, o| D::mean_squared_error(tape, &o[0], &o[1]));
    }
}

/// Gradients in which `param` has these values.
fn gradients<D: Kernels>(param: &Tensor<D>, values: &[f32]) -> Gradients<D> {
    let mut tape = Tape::recording(KernelSet::Fast);
    let values = Tensor::from_vec(param.device(), values.to_vec(), &[values.len(), 1]).unwrap();
    let row = param.reshape(&[1, param.len()]).unwrap();
    let loss = D::matmul(&mut tape, &row, &values).unwrap();
    tape.backward(&loss).unwrap()
}

/// What all that is done to weights and gradients gives.
fn updated<D: Kernels>(device: &D) -> Vec<Vec<f32>> {
    const DIMS: [usize; 2] = [37, 9];
    let values = |seed: u64| normal(seed, &DIMS).1;
    let tensor = |seed: u64| Tensor::from_vec(device, values(seed), &DIMS).unwrap();
    let mut all = Vec::new();
    for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
        let (mut param, mut velocity) = (tensor(1).wanting_grad(true), tensor(2));
        let (before, step) = (param.clone(), SgdStep { lr: 0.1, momentum, nesterov, weight_decay: 0.01 });
        step.apply(&mut param, &mut velocity, &mut gradients(&before, &values(3))).unwrap();
        step.apply(&mut param, &mut velocity, &mut gradients(&before, &values(4))).unwrap();
        all.extend([before.to_vec(), param.to_vec(), velocity.to_vec()]);
    }
    let (mut param, mut first, mut second) = (tensor(1).wanting_grad(true), tensor(2), tensor(3));
    second.limit_norms(0.5).unwrap();
    second = D::activate(&mut Tape::off(KernelSet::Fast), &second, Activation::Relu).unwrap();
    let step = AdamWStep { lr: 0.01, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.1 };
    let mut of_param = gradients(&param, &values(4));
    for number in 1..4 {
        step.apply(number, &mut param, &mut first, &mut second, &mut of_param).unwrap();
    }
    all.extend([param.to_vec(), first.to_vec(), second.to_vec()]);
    let mut flow = gradients(&param, &values(5));
    let norms = flow.norms_squared(&[&param, &first, &param]).unwrap().get().unwrap();
    all.push(norms.iter().map(|&norm| norm as f32).collect());
    flow.scale(&param, 0.7).unwrap();
    flow.clip(&param, 0.9).unwrap();
    Pull { absolute: 0.1, square: 0.2, towards: None }.add(&mut flow, &param).unwrap();
    Pull { absolute: 0.1, square: 0.2, towards: Some(&first) }.add(&mut flow, &param).unwrap();
    flow.add(&param, &second).unwrap();
    all.push(flow.of(&param).unwrap().to_vec());
    let kept = first.clone();
    first.approach(&param, 0.3).unwrap();
    all.extend([kept.to_vec(), first.to_vec(), D::blend(&kept, 0.25, &param, -1.5).unwrap().to_vec()]);
    let mut bad = values(6);
    bad[200] = f32::NAN;
    let bad = Tensor::from_vec(device, bad, &DIMS).unwrap();
    all.push(vec![f32::from(u8::from(param.all_finite().unwrap())), f32::from(u8::from(bad.all_finite().unwrap()))]);
    all
}

#[test]
fn weights_and_gradients_are_changed_as_on_the_cpu() {
    let Some(gpu) = gpu() else { return };
    for (place, (found, expected)) in updated(&*gpu).iter().zip(updated(&open_cpu().unwrap())).enumerate() {
        near(&format!("change {place}"), found, &expected);
    }
}

#[test]
fn gradients_of_several_passes_add_up() {
    let Some(gpu) = gpu() else { return };
    let o = tensors(&*gpu, &[normal(1, &[4, 3]), normal(2, &[3, 5])], &[1]);
    let pass = |tape: Tape<Cuda>| {
        let mut tape = tape;
        let y = Cuda::matmul(&mut tape, &o[0], &o[1]).unwrap();
        let loss = Cuda::mean_squared_error(&mut tape, &y, &Tensor::zeros(&*gpu, &[4, 5]).unwrap()).unwrap();
        tape.backward(&loss).unwrap()
    };
    let mut once = pass(Tape::recording(KernelSet::Fast));
    let expected: Vec<f32> = once.of(&o[1]).unwrap().to_vec().iter().map(|value| 2.0 * value).collect();
    let mut twice = pass(Tape::adding_to(KernelSet::Fast, once.only([&o[1]]).unwrap(), &*gpu).unwrap());
    near("two passes", &twice.of(&o[1]).unwrap().to_vec(), &expected);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let Some(gpu) = gpu() else { return };
    let all = gpu.own_memory().unwrap()[0] as usize;
    assert!(Tensor::zeros(&*gpu, &[all / 4 + 1]).unwrap_err().is_out_of_memory());
    assert_eq!(Tensor::from_vec(&*gpu, vec![1.0, 2.0], &[2]).unwrap().to_vec(), [1.0, 2.0]);
}

/// Values that are sent ahead arrive whole, whatever kernels do with memory meanwhile; and what kernels have in memory that
/// values travelled to stays theirs.
#[test]
fn values_that_are_sent_ahead() {
    // In several rounds through the memory that does not move, and in a part of it.
    const MOST: usize = 5 << 20;
    let Some(gpu) = gpu() else { return };
    let values = |round: usize, len: usize| -> Vec<f32> { (0..len).map(|i| (i % 1021 + round) as f32).collect() };
    let base = Tensor::from_slice(&*gpu, &values(0, MOST), &[MOST]).unwrap();
    let off = || Tape::off(KernelSet::Fast);
    // Takes and frees memory of the same size over and over, and has the device busy.
    let busy = |times: usize| {
        let relu = |x: Tensor<Cuda>, _| Cuda::activate(&mut off(), &x, Activation::Relu).unwrap();
        let last = (0..times).fold(base.clone(), relu);
        Cuda::blend(&last, -1.0, &base, 0.0).unwrap()
    };
    for round in 1..=120 {
        let len = if round % 3 == 0 { MOST / 7 + round } else { MOST };
        let expected = values(round, len);
        // What has the memory before may not be done when it is taken, or when the values are there.
        drop(busy(if round % 2 == 0 { 40 } else { 1 }));
        let room = Room::of(&*gpu, MOST).unwrap();
        if round % 4 < 2 {
            drop(busy(20));
        }
        let sent = room.send(&expected, &[len]).unwrap();
        if round % 5 == 0 {
            // Nobody asks for it: what gets its memory next keeps its own values.
            drop(sent);
            let others: Vec<Tensor<Cuda>> = (0..4).map(|_| busy(1)).collect();
            for other in others {
                assert!(other.to_vec().iter().zip(values(0, MOST)).all(|(found, own)| *found == -own), "round {round}");
            }
            continue;
        }
        if round % 8 < 4 {
            drop(busy(5));
        }
        // A kernel reads it at once.
        let tensor = sent.get().unwrap();
        let negative = Cuda::blend(&tensor, -1.0, &tensor, 0.0).unwrap();
        assert_eq!(tensor.dims(), [len]);
        drop(tensor);
        drop(busy(2));
        assert!(negative.to_vec().iter().zip(&expected).all(|(found, sent)| *found == -sent), "round {round}");
    }
    let room = || Room::of(&*gpu, 10).unwrap();
    assert!(room().holds(10) && !room().holds(11));
    assert!(room().send(&[0.0; 11], &[11]).is_err() && room().send(&[0.0; 4], &[5]).is_err());
    assert!(Room::of(&*gpu, gpu.own_memory().unwrap()[0] as usize).unwrap_err().is_out_of_memory());
}
