//! Compares an operation with a reference, forward and backward.

use super::random::{Key, Purpose};
use crate::{Cpu, KernelSet, Kernels, Result, Tape, Tensor};

/// Both sets of kernels.
pub const BOTH: [KernelSet; 2] = [KernelSet::Fast, KernelSet::Assembled];

/// Coordinates of each operand whose derivative is taken by finite differences.
const COORDINATES: usize = 16;

/// An operation on a device.
pub type OperationOn<'a, D> = &'a dyn Fn(&mut Tape<D>, &[Tensor<D>]) -> Result<Tensor<D>>;
type Operation<'a> = OperationOn<'a, Cpu>;

/// An operation, its operands, and what it should give.
pub struct Check<'a> {
    /// Said when it fails.
    pub name: String,
    /// Shape and values of each operand.
    pub operands: Vec<(Vec<usize>, Vec<f32>)>,
    /// How many of the operands, from the first, may want gradients.
    pub differentiable: usize,
    /// The operation under test.
    pub operation: Operation<'a>,
    /// The same in `f64`, as plainly as can be.
    pub reference: &'a dyn Fn(&[Vec<f64>]) -> Vec<f64>,
    /// What the output may be off by, relative to its largest value.
    pub forward: f64,
    /// What a gradient may be off by, relative to its largest value.
    pub backward: f64,
}

/// Standard normal numbers that depend on `seed` alone.
pub fn normal(seed: u64, dims: &[usize]) -> (Vec<usize>, Vec<f32>) {
    let mut stream = Key::new(seed, Purpose::Init).stream();
    (dims.to_vec(), (0..dims.iter().product()).map(|_| stream.normal()).collect())
}

/// The tensors of some operands; those in `wanting` want gradients.
pub fn tensors<D: Kernels>(device: &D, operands: &[(Vec<usize>, Vec<f32>)], wanting: &[usize]) -> Vec<Tensor<D>> {
    let tensor = |(number, (dims, values)): (usize, &(Vec<usize>, Vec<f32>))| {
        Tensor::from_vec(device, values.clone(), dims).unwrap().wanting_grad(wanting.contains(&number))
    };
    operands.iter().enumerate().map(tensor).collect()
}

/// Output and gradients of `sum(weights * operation)`.
pub fn run<D: Kernels>(
    kernels: KernelSet,
    operation: OperationOn<D>,
    tensors: &[Tensor<D>],
    weights: &[f32],
) -> (Vec<f32>, Vec<Vec<f32>>) {
    let mut tape = Tape::recording(kernels);
    let y = operation(&mut tape, tensors).unwrap();
    assert_eq!(y.wants_grad(), tensors.iter().any(Tensor::wants_grad));
    let count = y.len();
    let weights = Tensor::from_vec(y.device(), weights[..count].to_vec(), &[count, 1]).unwrap();
    let flat = y.reshape(&[1, count]).unwrap();
    let loss = D::matmul(&mut tape, &flat, &weights).unwrap().reshape(&[]).unwrap();
    let mut gradients = tape.backward(&loss).unwrap();
    (y.to_vec(), tensors.iter().map(|tensor| gradients.of(tensor).unwrap().to_vec()).collect())
}

impl Check<'_> {
    /// Panics where something is off.
    pub fn run(&self) {
        for kernels in BOTH {
            self.run_on(kernels);
        }
    }

    fn run_on(&self, kernels: KernelSet) {
        let what = format!("{} {kernels:?}", self.name);
        let device = crate::device::open_cpu().unwrap();
        let all: Vec<usize> = (0..self.differentiable).collect();
        let exact: Vec<Vec<f64>> =
            self.operands.iter().map(|(_, values)| values.iter().map(|&v| f64::from(v)).collect()).collect();
        let expected = (self.reference)(&exact);
        let weights = normal(99, &[expected.len()]).1;
        let loss = |operands: &[Vec<f64>]| -> f64 {
            (self.reference)(operands).iter().zip(&weights).map(|(y, &w)| y * f64::from(w)).sum()
        };

        let tape_off = (self.operation)(&mut Tape::off(kernels), &tensors(&device, &self.operands, &all)).unwrap();
        assert!(!tape_off.wants_grad(), "{what}: recorded on a tape that is off");
        close(&format!("{what}, tape off"), &tape_off.to_vec(), &expected, self.forward);
        let none = (self.operation)(&mut Tape::recording(kernels), &tensors(&device, &self.operands, &[])).unwrap();
        assert!(!none.wants_grad(), "{what}: recorded though nothing wants a gradient");

        let (y, gradients) = run(kernels, self.operation, &tensors(&device, &self.operands, &all), &weights);
        close(&what, &y, &expected, self.forward);
        for (operand, gradient) in gradients.iter().enumerate().take(self.differentiable) {
            self.check_gradient(&format!("{what}, operand {operand}"), &exact, operand, gradient, &loss);
        }
        for &alone in &all {
            let tensors = tensors(&device, &self.operands, &[alone]);
            let (_, only) = run(kernels, self.operation, &tensors, &weights);
            for (operand, gradient) in only.iter().enumerate() {
                if operand == alone {
                    assert_eq!(gradient, &gradients[operand], "{what}: gradient {operand} depends on who wants one");
                } else {
                    assert!(gradient.iter().all(|&g| g == 0.0), "{what}: gradient {operand} that nobody wants");
                }
            }
        }
    }

    fn check_gradient(
        &self,
        what: &str,
        exact: &[Vec<f64>],
        operand: usize,
        gradient: &[f32],
        loss: &dyn Fn(&[Vec<f64>]) -> f64,
    ) {
        const STEP: f64 = 1e-5;
        let along = |direction: &dyn Fn(usize) -> f64| {
            let moved = |sign: f64| {
                let mut operands = exact.to_vec();
                operands[operand].iter_mut().enumerate().for_each(|(i, v)| *v += sign * STEP * direction(i));
                loss(&operands)
            };
            (moved(1.0) - moved(-1.0)) / (2.0 * STEP)
        };
        let scale = gradient.iter().fold(0.0_f64, |most, &g| most.max(f64::from(g).abs()));
        let mut stream = Key::new(operand as u64, Purpose::Shuffle).stream();
        for _ in 0..COORDINATES.min(gradient.len()) {
            let at = stream.below(gradient.len());
            let slope = along(&|i| if i == at { 1.0 } else { 0.0 });
            let off = (slope - f64::from(gradient[at])).abs();
            assert!(off <= self.backward * scale + 1e-7, "{what}[{at}]: {} for {slope}", gradient[at]);
        }
        // One direction sees all coordinates at once.
        let signs: Vec<f64> = gradient.iter().map(|_| if stream.chance(0.5) { 1.0 } else { -1.0 }).collect();
        let slope = along(&|i| signs[i]);
        let found: f64 = gradient.iter().zip(&signs).map(|(&g, sign)| f64::from(g) * sign).sum();
        let spread = scale * (gradient.len() as f64).sqrt();
        assert!(
            (slope - found).abs() <= self.backward * spread + 1e-7,
            "{what}: {found} for {slope} along a direction"
        );
    }
}

/// Panics unless `found` is within `tolerance` of `expected`, relative to the largest value.
pub fn close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    let scale = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    for (at, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(found) - expected).abs();
        assert!(off <= tolerance * scale, "{what}[{at}]: {found} for {expected} (largest {scale})");
    }
}
