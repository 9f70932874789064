//! What the convolutions of two nets take: `cargo bench -p runner-engine --bench kernels [NAME]`.
//!
//! Batches of 16 images, on the threads that rayon has (`RAYON_NUM_THREADS`) and the vector instructions
//! that `RUNNER_SIMD` names. Medians, since other programs run as well. A multiply-add is two operations.

use runner_engine::device::open_cpu;
use runner_engine::{Cpu, KernelSet, Kernels, Padding, Result, Tape, Tensor, Window, cpu};
use std::hint::black_box;
use std::time::{Duration, Instant};

const BATCH: usize = 16;
const ROUNDS: usize = 9;

/// A convolution over images as high as the net's input divided by `divisor`.
struct Layer {
    divisor: usize,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    depthwise: bool,
}

const fn dense(divisor: usize, inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Layer {
    Layer { divisor, inputs, outputs, kernel, stride, depthwise: false }
}

const fn depthwise(divisor: usize, channels: usize, kernel: usize, stride: usize) -> Layer {
    Layer { divisor, inputs: channels, outputs: channels, kernel, stride, depthwise: true }
}

/// One of each kind of layer.
const NETS: [(&str, &[Layer]); 2] = [
    (
        "resnet18",
        &[
            dense(1, 3, 64, 7, 2),
            dense(4, 64, 64, 3, 1),
            dense(4, 64, 128, 3, 2),
            dense(4, 64, 128, 1, 2),
            dense(8, 128, 128, 3, 1),
            dense(8, 128, 256, 3, 2),
            dense(16, 256, 256, 3, 1),
            dense(16, 256, 512, 3, 2),
            dense(32, 512, 512, 3, 1),
        ],
    ),
    (
        "efficientnet_lite0",
        &[
            dense(1, 3, 32, 3, 2),
            depthwise(2, 32, 3, 1),
            dense(2, 32, 16, 1, 1),
            dense(2, 16, 96, 1, 1),
            depthwise(2, 96, 3, 2),
            dense(4, 24, 144, 1, 1),
            depthwise(4, 144, 5, 2),
            dense(8, 40, 240, 1, 1),
            depthwise(8, 240, 5, 1),
            dense(8, 240, 40, 1, 1),
            dense(16, 112, 672, 1, 1),
            depthwise(16, 672, 5, 2),
            dense(32, 1152, 192, 1, 1),
            dense(32, 320, 1280, 1, 1),
        ],
    ),
];

impl Layer {
    fn groups(&self) -> usize {
        if self.depthwise { self.inputs } else { 1 }
    }

    fn window(&self) -> Window {
        let padding = Padding::symmetric(self.kernel / 2, self.kernel / 2);
        Window { kernel: [self.kernel; 2], stride: [self.stride; 2], dilation: [1, 1], padding }
    }

    /// Milliseconds forward alone, and forward with both gradients.
    fn time(&self, size: usize) -> Result<[f64; 2]> {
        let device = open_cpu()?;
        let (groups, window) = (self.groups(), self.window());
        let tensor = |dims: &[usize]| {
            let values = (0..dims.iter().product()).map(|at: usize| (at % 113) as f32 / 56.0 - 1.0).collect();
            Tensor::from_vec(&device, values, dims).map(|tensor| tensor.wanting_grad(true))
        };
        let x = tensor(&[BATCH, size, size, self.inputs])?;
        let weight = tensor(&[self.kernel, self.kernel, self.inputs / groups, self.outputs])?;
        let mean = Tensor::from_vec(&device, vec![0.0; BATCH * self.outputs], &[BATCH, self.outputs])?;
        let forward = median(|| {
            black_box(Cpu::conv2d(&mut Tape::off(KernelSet::Fast), &x, &weight, &window, groups)?);
            Ok(())
        })?;
        let training = median(|| {
            let mut tape = Tape::recording(KernelSet::Fast);
            let y = Cpu::conv2d(&mut tape, &x, &weight, &window, groups)?;
            let y = Cpu::adaptive_avg_pool(&mut tape, &y, [1, 1])?.reshape(&[BATCH, self.outputs])?;
            let loss = Cpu::mean_squared_error(&mut tape, &y, &mean)?;
            black_box(tape.backward(&loss)?);
            Ok(())
        })?;
        Ok([forward, training])
    }
}

fn median(mut f: impl FnMut() -> Result<()>) -> Result<f64> {
    f()?;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        f()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(ROUNDS / 2).map_or(0.0, Duration::as_secs_f64) * 1e3)
}

fn main() -> Result<()> {
    // Cargo hands on flags of its own.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    println!("{} threads, {}", rayon::current_num_threads(), cpu::instructions());
    println!("{:<40} {:>9} {:>9} {:>9} {:>9}", "", "forward", "", "training", "");
    println!("{:<40} {:>9} {:>9} {:>9} {:>9}", "", "ms", "GFLOP/s", "ms", "GFLOP/s");
    for (net, layers) in NETS {
        for size in [224, 64] {
            for layer in layers.iter().filter(|layer| size / layer.divisor > 1) {
                let kind = if layer.depthwise { "depthwise" } else { "" };
                let Layer { divisor, inputs, outputs, kernel, stride, .. } = layer;
                let side = size / divisor;
                let name = format!("{net} {side} px {inputs}-{outputs} {kernel}x{kernel}/{stride} {kind}");
                if !name.contains(&only) {
                    continue;
                }
                let [forward, training] = layer.time(side)?;
                let output = side.div_ceil(*stride);
                let terms = BATCH * output * output * kernel * kernel * inputs / layer.groups() * outputs;
                let speed = |passes: f64, time: f64| 2e-6 * passes * terms as f64 / time;
                let speeds = [speed(1.0, forward), speed(3.0, training)];
                println!("{name:<40} {forward:>9.2} {:>9.1} {training:>9.2} {:>9.1}", speeds[0], speeds[1]);
            }
        }
    }
    Ok(())
}
