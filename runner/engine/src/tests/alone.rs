//! What comes of one image forward does not depend, to the last bit, on what else is in the batch, on
//! its size, nor on threads: features are kept image by image and must equal those of any batch.

use super::check::{normal, tensors};
use super::random::{Key, Purpose, Stream};
use crate::{Activation, Cpu, KernelSet, Kernels, Normalization, Padding, Result, Tape, Tensor, Window};

const GEOMETRIES: u64 = 60;
const BATCH: usize = 7;

type Operation<'a> = &'a (dyn Fn(&mut Tape<Cpu>, &[Tensor<Cpu>]) -> Result<Tensor<Cpu>> + Sync);

/// Panics unless each image alone gives the bits that it gives in a batch, on any number of threads.
fn check(what: &str, dims: &[usize], parameters: &[(Vec<usize>, Vec<f32>)], operation: Operation) {
    let image: usize = dims.iter().product();
    let values = normal(17, &[BATCH, image]).1;
    let run = |images: std::ops::Range<usize>, threads: usize| {
        let mut batch = vec![images.len()];
        batch.extend(dims);
        let mut operands = vec![(batch, values[images.start * image..images.end * image].to_vec())];
        operands.extend(parameters.iter().cloned());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let operands = tensors(&Cpu::default(), &operands, &[]);
            operation(&mut Tape::off(KernelSet::Fast), &operands).unwrap().to_vec()
        })
    };
    let together = run(0..BATCH, 1);
    assert_eq!(bits(&together), bits(&run(0..BATCH, 3)), "{what}: threads");
    let of_image = together.len() / BATCH;
    for number in 0..BATCH {
        let alone = run(number..number + 1, 2);
        assert_eq!(bits(&alone), bits(&together[number * of_image..][..of_image]), "{what}: image {number} alone");
    }
    assert_eq!(bits(&run(2..6, 2)), bits(&together[2 * of_image..6 * of_image]), "{what}: some images");
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A window and an image that it fits.
fn geometry(stream: &mut Stream) -> ([usize; 2], Window) {
    loop {
        let mut two = |most: usize| [1 + stream.below(most), 1 + stream.below(most)];
        let (size, kernel, stride, dilation) = (two(20), two(4), two(2), two(2));
        let padding = Padding::symmetric(stream.below(2), stream.below(3));
        let window = Window { kernel, stride, dilation, padding };
        if window.output(size).is_some() {
            return (size, window);
        }
    }
}

#[test]
fn convolutions() {
    for seed in 0..GEOMETRIES {
        let mut stream = Key::new(seed, Purpose::Shuffle).stream();
        let (size, window) = geometry(&mut stream);
        let groups = 1 + stream.below(3);
        let (inputs, outputs) = (groups * (1 + stream.below(40)), groups * (1 + stream.below(40)));
        let weight = normal(seed, &[window.kernel[0], window.kernel[1], inputs / groups, outputs]);
        let what = format!("{size:?} {inputs} to {outputs} by {groups} groups, {window:?}");
        check(&what, &[size[0], size[1], inputs], &[weight], &|tape, operands| {
            Cpu::conv2d(tape, &operands[0], &operands[1], &window, groups)
        });
    }
}

#[test]
fn square_windows_of_many_channels() {
    for (size, inputs, outputs) in [([8, 8], 64, 64), ([13, 9], 64, 48), ([16, 16], 32, 70), ([4, 4], 512, 32)] {
        let window = Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], padding: Padding::symmetric(1, 1) };
        let weight = normal(1, &[3, 3, inputs, outputs]);
        check(&format!("{size:?} {inputs} to {outputs}"), &[size[0], size[1], inputs], &[weight], &|tape, operands| {
            Cpu::conv2d(tape, &operands[0], &operands[1], &window, 1)
        });
    }
}

#[test]
fn depthwise_convolutions() {
    for seed in 0..GEOMETRIES / 2 {
        let mut stream = Key::new(seed, Purpose::Shuffle).stream();
        let (size, window) = geometry(&mut stream);
        let channels = 2 + stream.below(40);
        let weight = normal(seed, &[window.kernel[0], window.kernel[1], 1, channels]);
        check(
            &format!("{size:?} {channels}, {window:?}"),
            &[size[0], size[1], channels],
            &[weight],
            &|tape, operands| Cpu::conv2d(tape, &operands[0], &operands[1], &window, channels),
        );
    }
}

#[test]
fn products() {
    for (inputs, outputs) in [(1, 1), (7, 3), (512, 100), (2048, 10), (1280, 1000), (300, 17)] {
        check(&format!("{inputs} to {outputs}"), &[inputs], &[normal(1, &[inputs, outputs])], &|tape, operands| {
            Cpu::matmul(tape, &operands[0], &operands[1])
        });
    }
}

#[test]
fn the_other_operations_of_evaluation() {
    let window = Window { kernel: [3, 3], stride: [2, 2], dilation: [1, 1], padding: Padding::symmetric(1, 1) };
    let dims = [9, 8, 21];
    let parameters = [2, 3, 4, 5].map(|seed| {
        let (dims, values) = normal(seed, &[21]);
        (dims, values.into_iter().map(|value| value.abs() + 0.1).collect())
    });
    let silu = Some(Activation::Silu);
    check("batch norm", &dims, &parameters.clone(), &|tape, o| {
        Cpu::batch_norm_inference(tape, &o[0], &o[1], &o[2], &o[3], &o[4], 1e-3, silu)
    });
    check("max pool", &dims, &[], &|tape, o| Cpu::max_pool(tape, &o[0], &window));
    check("average pool", &dims, &[], &|tape, o| Cpu::avg_pool(tape, &o[0], &window, false));
    check("adaptive pool", &dims, &[], &|tape, o| Cpu::adaptive_avg_pool(tape, &o[0], [2, 3]));
    check("sum", &dims, &[], &|tape, o| Cpu::add(tape, &o[0], &o[0], silu));
    check("bias", &dims, &[normal(3, &[21])], &|tape, o| Cpu::add_bias(tape, &o[0], &o[1]));
    let weight = normal(6, &[3, 3, 12, 21]);
    let [a, b, c, d] = parameters;
    let fused = [normal(7, &[3, 3, 21, 21]), a, b, c, d];
    check("convolution with batch norm", &dims, &fused, &|tape, o| {
        let norm = Normalization { scale: &o[2], shift: &o[3], mean: &o[4], variance: &o[5], eps: 1e-3 };
        Cpu::conv2d_batch_norm(tape, &o[0], &o[1], &window, 1, &norm, None, silu)
    });
    check("transposed convolution", &[5, 4, 21], &[weight], &|tape, o| {
        Cpu::conv_transpose2d(tape, &o[0], &o[1], &window, [9, 8])
    });
}
