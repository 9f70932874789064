//! Whole nets: the two sets of kernels against each other, and the number of threads.

use super::check::normal;
use crate::{
    Activation, Broadcast, Cpu, KernelSet, Kernels, Padding, Result, SgdStep, Tape, Tensor, Window, device::open_cpu,
};

fn window(kernel: usize, stride: usize) -> Window {
    let padding = Padding::same([33, 31], [kernel; 2], [stride; 2], [1, 1]);
    Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1, 1], padding }
}

/// Shapes of the parameters of [`loss`].
const PARAMS: [&[usize]; 14] = [
    &[3, 3, 3, 20], // 0: stem
    &[20],          // 1, 2: its batch norm
    &[20],
    &[1, 1, 20, 40], // 3: expansion
    &[40],           // 4, 5: its batch norm
    &[40],
    &[5, 5, 1, 40], // 6: depthwise
    &[40, 40],      // 7: gate
    &[40],
    &[1, 1, 40, 20], // 9: projection
    &[3, 3, 10, 20], // 10: two groups
    &[3, 3, 20, 24], // 11: to the features
    &[64, 150],      // 12: classifier
    &[150],
];

/// The loss of a net that has one of everything: a stem, an inverted residual with a gate, a
/// grouped branch that is joined, pools and a classifier.
fn loss(tape: &mut Tape<Cpu>, x: &Tensor<Cpu>, p: &[Tensor<Cpu>], targets: &Tensor<Cpu>) -> Result<Tensor<Cpu>> {
    let relu = Some(Activation::Relu);
    let stem = Cpu::conv2d(tape, x, &p[0], &window(3, 1), 1)?;
    let (stem, _) = Cpu::batch_norm_training(tape, &stem, &p[1], &p[2], 1e-3, relu)?;
    let stem = Cpu::max_pool(tape, &stem, &window(3, 2))?;
    let wide = Cpu::conv2d(tape, &stem, &p[3], &window(1, 1), 1)?;
    let given = [normal(7, &[40]).1, vec![0.7; 40]].map(|v| Tensor::from_vec(x.device(), v, &[40]));
    let [mean, variance] = given;
    let wide = Cpu::batch_norm_inference(tape, &wide, &p[4], &p[5], &mean?, &variance?, 1e-3, Some(Activation::Silu))?;
    let deep = Cpu::conv2d(tape, &wide, &p[6], &window(5, 1), 40)?;
    let squeezed = Cpu::adaptive_avg_pool(tape, &deep, [1, 1])?;
    let squeezed = squeezed.reshape(&[squeezed.dims()[0], 40])?;
    let gate = Cpu::matmul(tape, &squeezed, &p[7])?;
    let gate = Cpu::add_bias(tape, &gate, &p[8])?;
    let gate = Cpu::activate(tape, &gate, Activation::Sigmoid)?;
    let deep = Cpu::scale(tape, &deep, &gate, Broadcast::SampleChannel)?;
    let narrow = Cpu::conv2d(tape, &deep, &p[9], &window(1, 1), 1)?;
    let sum = Cpu::add(tape, &stem, &narrow, relu)?;
    let branch = Cpu::conv2d(tape, &stem, &p[10], &window(3, 1), 2)?;
    let features = Cpu::conv2d(tape, &sum, &p[11], &window(3, 1), 1)?;
    let joined = Cpu::concat(tape, &[features, branch, sum])?;
    let pooled = Cpu::avg_pool(tape, &joined, &window(2, 2), true)?;
    let pooled = Cpu::adaptive_avg_pool(tape, &pooled, [1, 1])?;
    let pooled = pooled.reshape(&[pooled.dims()[0], 64])?;
    let logits = Cpu::matmul(tape, &pooled, &p[12])?;
    let logits = Cpu::add_bias(tape, &logits, &p[13])?;
    Cpu::cross_entropy(tape, &logits, targets)
}

/// Losses of some steps of training, and the gradients of the first.
fn train(kernels: KernelSet, batch: usize, size: [usize; 2], steps: usize) -> (Vec<f32>, Vec<Vec<f32>>) {
    let device = open_cpu().unwrap();
    let tensor = |seed, dims: &[usize], stretch: f32| {
        let (dims, values) = normal(seed, dims);
        Tensor::from_vec(&device, values.into_iter().map(|v| stretch * v).collect(), &dims).unwrap()
    };
    let mut params: Vec<Tensor<Cpu>> = (10..)
        .zip(PARAMS)
        .map(|(seed, dims)| {
            let fan_in: usize = dims[..dims.len() - 1].iter().product();
            tensor(seed, dims, (2.0 / fan_in as f32).sqrt().min(1.0)).wanting_grad(true)
        })
        .collect();
    let x = tensor(1, &[batch, size[0], size[1], 3], 1.0);
    let mut targets = vec![0.0; batch * 150];
    (0..batch).for_each(|row| targets[row * 150 + row * 7 % 150] = 1.0 / batch as f32);
    let targets = Tensor::from_vec(&device, targets, &[batch, 150]).unwrap();
    let step = SgdStep { lr: 2e-3, momentum: 0.9, nesterov: true, weight_decay: 1e-4 };
    let mut velocities: Vec<_> = params.iter().map(|p| Tensor::zeros(&device, p.dims()).unwrap()).collect();
    let (mut losses, mut first) = (Vec::new(), Vec::new());
    for _ in 0..steps {
        let mut tape = Tape::recording(kernels);
        let loss = loss(&mut tape, &x, &params, &targets).unwrap();
        losses.push(loss.to_vec()[0]);
        let mut gradients = tape.backward(&loss).unwrap();
        assert!(gradients.of(&x).unwrap().to_vec().iter().all(|&g| g == 0.0), "the image wants no gradient");
        if first.is_empty() {
            first = params.iter().map(|p| gradients.of(p).unwrap().to_vec()).collect();
        }
        for (param, velocity) in params.iter_mut().zip(&mut velocities) {
            step.apply(param, velocity, &mut gradients).unwrap();
        }
    }
    (losses, first)
}

#[test]
fn both_sets_of_kernels_train_alike() {
    // Enough pixels for several blocks and several splits of every sum.
    let (fast, fast_gradients) = train(KernelSet::Fast, 3, [33, 31], 3);
    let (assembled, assembled_gradients) = train(KernelSet::Assembled, 3, [33, 31], 3);
    for (step, (fast, assembled)) in fast.iter().zip(&assembled).enumerate() {
        assert!((fast - assembled).abs() <= 1e-4 * assembled.abs(), "step {step}: {fast} and {assembled}");
    }
    assert!(fast[2] < fast[0], "it learns: {fast:?}");
    for (param, (fast, assembled)) in fast_gradients.iter().zip(&assembled_gradients).enumerate() {
        let scale = assembled.iter().fold(0.0_f32, |most, g| most.max(g.abs()));
        assert!(scale > 0.0, "parameter {param} has a gradient");
        for (at, (fast, assembled)) in fast.iter().zip(assembled).enumerate() {
            assert!((fast - assembled).abs() <= 5e-5 * scale, "parameter {param}[{at}]: {fast} and {assembled}");
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (losses, gradients) = pool.install(|| train(KernelSet::Fast, 9, [33, 31], 2));
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        (bits(&losses), gradients.iter().map(|gradient| bits(gradient)).collect::<Vec<_>>())
    };
    let one = bits(1);
    assert_eq!(one, bits(4));
    assert_eq!(one, bits(3));
}

#[test]
fn a_tensor_may_be_used_twice() {
    let device = Cpu::default();
    for kernels in super::check::BOTH {
        let x = Tensor::from_vec(&device, vec![1.0, -2.0, 3.0, 0.5], &[2, 2]).unwrap().wanting_grad(true);
        let mut tape = Tape::recording(kernels);
        let twice = Cpu::add(&mut tape, &x, &x, None).unwrap();
        let square = Cpu::scale(&mut tape, &x, &x, Broadcast::Element).unwrap();
        let joined = Cpu::concat(&mut tape, &[twice.clone(), square, twice]).unwrap();
        let ones = Tensor::from_vec(&device, vec![1.0; 12], &[12, 1]).unwrap();
        let loss = Cpu::matmul(&mut tape, &joined.reshape(&[1, 12]).unwrap(), &ones).unwrap();
        assert_eq!(loss.to_vec(), [4.0 * 2.5 + 1.0 + 4.0 + 9.0 + 0.25], "{kernels:?}");
        let gradient = tape.backward(&loss).unwrap().of(&x).unwrap().to_vec();
        assert_eq!(gradient, [6.0, 0.0, 10.0, 5.0], "{kernels:?}");
    }
}
