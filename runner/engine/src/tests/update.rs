//! Optimizer steps against torch's formulas in `f64`, and what is done to gradients.

use super::check::{close, normal};
use crate::{AdamWStep, Cpu, Gradients, KernelSet, Kernels, SgdStep, Tape, Tensor, assembled, device::open_cpu};

const COUNT: usize = 37;

/// Gradients in which `param` has these values.
fn gradients(param: &Tensor<Cpu>, values: &[f32]) -> Gradients<Cpu> {
    let mut tape = Tape::recording(KernelSet::Fast);
    let values = Tensor::from_vec(param.device(), values.to_vec(), &[values.len(), 1]).unwrap();
    let row = param.reshape(&[1, param.len()]).unwrap();
    let loss = Cpu::matmul(&mut tape, &row, &values).unwrap();
    tape.backward(&loss).unwrap()
}

/// Gradients as training gives them, of the most different sizes.
fn gradient_of_step(step: u64) -> Vec<f32> {
    let values = normal(100 + step, &[COUNT]).1.into_iter().enumerate();
    values.map(|(i, g)| if i == 3 { 0.0 } else { g * 10_f32.powi(i as i32 % 9 - 6) }).collect()
}

fn exact(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// The parameter after six steps of `apply`, and after six of `reference` in `f64`.
fn compare(
    what: &str,
    mut apply: impl FnMut(i32, &mut Tensor<Cpu>, &mut [Tensor<Cpu>; 2], &mut Gradients<Cpu>),
    reference: impl Fn(i32, &mut f64, &mut [f64; 2], f64),
) {
    let device = open_cpu().unwrap();
    let start = normal(1, &[COUNT]).1;
    let mut param = Tensor::from_vec(&device, start.clone(), &[COUNT]).unwrap().wanting_grad(true);
    let mut state = [(); 2].map(|()| Tensor::zeros(&device, &[COUNT]).unwrap());
    let (mut expected, mut expected_state) = (exact(&start), [[0.0; 2]; COUNT]);
    for step in 1..=6 {
        let gradient = gradient_of_step(step as u64);
        let before = param.clone();
        let mut gradients = gradients(&param, &gradient);
        apply(step, &mut param, &mut state, &mut gradients);
        assert_ne!(before.to_vec(), param.to_vec(), "{what}: a clone must keep the old values");
        for (i, &g) in gradient.iter().enumerate() {
            reference(step, &mut expected[i], &mut expected_state[i], f64::from(g));
        }
    }
    close(what, &param.to_vec(), &expected, 4e-7);
    for (number, state) in state.iter().enumerate() {
        let expected: Vec<f64> = expected_state.iter().map(|state| state[number]).collect();
        close(&format!("{what}, state {number}"), &state.to_vec(), &expected, 1e-6);
    }
    assert!(param.wants_grad(), "{what}: still trained");
}

#[test]
fn sgd_steps_are_those_of_torch() {
    for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
        for weight_decay in [0.0, 0.05] {
            let step = SgdStep { lr: 0.1, momentum, nesterov, weight_decay };
            let reference = |_: i32, w: &mut f64, state: &mut [f64; 2], g: f64| {
                let g = g + weight_decay * *w;
                if momentum != 0.0 {
                    state[0] = momentum * state[0] + g;
                }
                let direction = match (momentum != 0.0, nesterov) {
                    (false, _) => g,
                    (true, false) => state[0],
                    (true, true) => g + momentum * state[0],
                };
                *w -= step.lr * direction;
            };
            let fast = |_: i32, param: &mut Tensor<Cpu>, state: &mut [Tensor<Cpu>; 2], g: &mut Gradients<Cpu>| {
                step.apply(param, &mut state[0], g).unwrap();
            };
            let portable = |_: i32, param: &mut Tensor<Cpu>, state: &mut [Tensor<Cpu>; 2], g: &mut Gradients<Cpu>| {
                assembled::sgd_step(&step, param, &mut state[0], g).unwrap();
            };
            compare(&format!("{step:?}, fast"), fast, reference);
            compare(&format!("{step:?}, assembled"), portable, reference);
        }
    }
}

#[test]
fn adamw_steps_are_those_of_torch() {
    for weight_decay in [0.0, 0.1] {
        let step = AdamWStep { lr: 1e-2, betas: [0.9, 0.999], eps: 1e-8, weight_decay };
        let reference = |number: i32, w: &mut f64, state: &mut [f64; 2], g: f64| {
            let [beta1, beta2] = step.betas;
            *w *= 1.0 - step.lr * weight_decay;
            state[0] = beta1 * state[0] + (1.0 - beta1) * g;
            state[1] = beta2 * state[1] + (1.0 - beta2) * g * g;
            let root = (state[1] / (1.0 - beta2.powi(number))).sqrt();
            *w -= step.lr * (state[0] / (1.0 - beta1.powi(number))) / (root + step.eps);
        };
        let fast = |number: i32, param: &mut Tensor<Cpu>, state: &mut [Tensor<Cpu>; 2], g: &mut Gradients<Cpu>| {
            let [first, second] = state;
            step.apply(number, param, first, second, g).unwrap();
        };
        let portable = |number: i32, param: &mut Tensor<Cpu>, state: &mut [Tensor<Cpu>; 2], g: &mut Gradients<Cpu>| {
            let [first, second] = state;
            assembled::adamw_step(&step, number, param, first, second, g).unwrap();
        };
        compare(&format!("{step:?}, fast"), fast, reference);
        compare(&format!("{step:?}, assembled"), portable, reference);
    }
}

#[test]
fn state_of_another_size_is_an_error() {
    let device = Cpu::default();
    let mut param = Tensor::zeros(&device, &[3]).unwrap().wanting_grad(true);
    let mut state = Tensor::zeros(&device, &[4]).unwrap();
    let mut gradients = gradients(&param, &[1.0; 3]);
    let step = SgdStep { lr: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.0 };
    assert!(step.apply(&mut param, &mut state, &mut gradients).is_err());
}

#[test]
fn gradients_are_measured_scaled_and_clipped() {
    let param = Tensor::zeros(&Cpu::default(), &[4]).unwrap().wanting_grad(true);
    let values = [3.0, -4.0, 0.5, 0.0];
    let fresh = || gradients(&param, &values);
    let of = |gradients: &mut Gradients<Cpu>| gradients.of(&param).unwrap().to_vec();

    assert_eq!(fresh().norm_squared(&param).unwrap(), 25.25);
    assert_eq!(assembled::gradient_norm_squared(&mut fresh(), &param).unwrap(), 25.25);

    let (mut fast, mut portable) = (fresh(), fresh());
    fast.scale(&param, 0.5).unwrap();
    assembled::scale_gradient(&mut portable, &param, 0.5).unwrap();
    assert_eq!(of(&mut fast), [1.5, -2.0, 0.25, 0.0]);
    assert_eq!(of(&mut portable), [1.5, -2.0, 0.25, 0.0]);

    let (mut fast, mut portable) = (fresh(), fresh());
    fast.clip(&param, 1.0).unwrap();
    assembled::clip_gradient(&mut portable, &param, 1.0).unwrap();
    assert_eq!(of(&mut fast), [1.0, -1.0, 0.5, 0.0]);
    assert_eq!(of(&mut portable), [1.0, -1.0, 0.5, 0.0]);
}

#[test]
fn a_tensor_without_gradient_has_zeros() {
    let device = Cpu::default();
    let param = Tensor::zeros(&device, &[2]).unwrap().wanting_grad(true);
    let other = Tensor::zeros(&device, &[3]).unwrap();
    let mut gradients = gradients(&param, &[1.0, 2.0]);
    assert_eq!(gradients.of(&other).unwrap().to_vec(), [0.0; 3]);
    assert_eq!(gradients.norm_squared(&other).unwrap(), 0.0);
}

#[test]
fn values_that_are_not_finite_are_seen() {
    let device = Cpu::default();
    for (values, finite) in [
        ([1.0, f32::MAX, -f32::MAX], true),
        ([1.0, f32::NAN, 0.0], false),
        ([f32::INFINITY, 1.0, 0.0], false),
        ([0.0, 1.0, f32::NEG_INFINITY], false),
    ] {
        let tensor = Tensor::from_vec(&device, values.to_vec(), &[3]).unwrap();
        assert_eq!(tensor.all_finite().unwrap(), finite, "{values:?}");
        assert_eq!(assembled::all_finite(&tensor).unwrap(), finite, "{values:?}");
        let param = Tensor::zeros(&device, &[3]).unwrap().wanting_grad(true);
        assert_eq!(gradients(&param, &values).all_finite(&param).unwrap(), finite, "gradient {values:?}");
    }
}

/// A loss over some rows: the sum of the log-likelihoods of their targets under a linear map.
fn loss_over(
    tape: &mut Tape<Cpu>,
    kernels: KernelSet,
    weight: &Tensor<Cpu>,
    rows: std::ops::Range<usize>,
) -> Tensor<Cpu> {
    let device = weight.device();
    let x = normal(5, &[6, 4]).1[rows.start * 4..rows.end * 4].to_vec();
    let targets: Vec<f32> =
        rows.clone().flat_map(|row| (0..3).map(move |k| f32::from(u8::from(row % 3 == k)))).collect();
    let x = Tensor::from_vec(device, x, &[rows.len(), 4]).unwrap();
    let targets = Tensor::from_vec(device, targets, &[rows.len(), 3]).unwrap();
    match kernels {
        KernelSet::Fast => {
            let y = Cpu::matmul(tape, &x, weight).unwrap();
            Cpu::cross_entropy(tape, &y, &targets).unwrap()
        }
        KernelSet::Assembled => {
            let y = assembled::matmul(tape, &x, weight).unwrap();
            assembled::cross_entropy(tape, &y, &targets).unwrap()
        }
    }
}

#[test]
fn gradients_of_several_passes_add_up() {
    for kernels in [KernelSet::Fast, KernelSet::Assembled] {
        let device = open_cpu().unwrap();
        let weight = Tensor::from_vec(&device, normal(6, &[4, 3]).1, &[4, 3]).unwrap().wanting_grad(true);
        let of = |rows: std::ops::Range<usize>| {
            let mut tape = Tape::recording(kernels);
            let loss = loss_over(&mut tape, kernels, &weight, rows);
            tape.backward(&loss).unwrap()
        };
        let whole = of(0..6).of(&weight).unwrap().to_vec();
        let mut sum = of(0..2);
        assert_ne!(sum.of(&weight).unwrap().to_vec(), whole);
        for rows in [2..5, 5..6] {
            let mut tape = Tape::adding_to(kernels, sum.only([&weight]).unwrap(), &device).unwrap();
            let loss = loss_over(&mut tape, kernels, &weight, rows);
            sum = tape.backward(&loss).unwrap();
        }
        close("sum", &sum.of(&weight).unwrap().to_vec(), &exact(&whole), 1e-6);
    }
}
