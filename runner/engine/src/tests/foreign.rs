//! Foreign operations: in place on the CPU, and through the host as on any device.

use crate::foreign::{Stored, through_host};
use crate::{
    Cpu, EngineError, Foreign, ForeignBackward, ForeignForward, KernelSet, Kernels, Result, Tape, Tensor, cpu::foreign,
};
use std::sync::Arc;

/// `y = a * b + p`, which keeps `a` in scratch; fails on the way back if asked to.
struct MultiplyAdd {
    keeps_inputs: bool,
    fails: bool,
}

impl Foreign for MultiplyAdd {
    fn forward(&self, call: ForeignForward<'_>) -> Result<()> {
        let (a, b, p) =
            (call.inputs[0].values.unwrap(), call.inputs[1].values.unwrap(), call.params[0].values.unwrap());
        assert_eq!(call.scratch.len(), 4);
        assert!(call.scratch.iter().all(|&word| word == 0));
        for (i, y) in call.output.values.iter_mut().enumerate() {
            *y = a[i] * b[i] + p[0];
            call.scratch[i] = u64::from(a[i].to_bits());
        }
        Ok(())
    }

    fn backward(&self, call: ForeignBackward<'_>) -> Result<()> {
        if self.fails {
            return Err(EngineError::Foreign("not on the way back".into()));
        }
        assert_eq!(call.inputs[0].dims, [2, 2]);
        assert_eq!(call.inputs[0].values.is_some(), self.keeps_inputs);
        assert_eq!(call.output.values.unwrap().len(), 4);
        let gy = call.output_gradient.values.unwrap();
        let mut gradients = call.input_gradients.into_iter();
        assert!(gradients.next().unwrap().is_none(), "none is wanted for the first input");
        let gb = gradients.next().unwrap().unwrap();
        for (i, gb) in gb.values.iter_mut().enumerate() {
            *gb += gy[i] * f32::from_bits(call.scratch[i] as u32);
        }
        let gp = call.param_gradients.into_iter().next().unwrap().unwrap();
        gp.values[0] += gy.iter().sum::<f32>();
        Ok(())
    }

    fn scratch_words(&self) -> usize {
        4
    }

    fn keeps_inputs(&self) -> bool {
        self.keeps_inputs
    }
}

type Run = fn(&mut Tape<Cpu>, Arc<dyn Foreign>, &[Tensor<Cpu>], &[Tensor<Cpu>], &[usize]) -> Result<Tensor<Cpu>>;

const BOTH: [Run; 2] = [foreign::foreign, through_host::<Cpu, Stored<Cpu>>];

fn tensor(values: &[f32], dims: &[usize]) -> Tensor<Cpu> {
    Tensor::from_vec(&Cpu::default(), values.to_vec(), dims).unwrap()
}

/// Output, and the gradients of the second input and the parameter; the second input takes part in
/// the loss another way, so that its gradient is added to.
fn gradients(run: Run, operation: MultiplyAdd) -> Result<[Vec<f32>; 3]> {
    let a = tensor(&[1., 2., 3., 4.], &[2, 2]);
    let b = tensor(&[0.5, -1., 0.25, 2.], &[2, 2]).wanting_grad(true);
    let p = tensor(&[0.75], &[1]).wanting_grad(true);
    let mut tape = Tape::recording(KernelSet::Fast);
    let y = run(&mut tape, Arc::new(operation), &[a, b.clone()], std::slice::from_ref(&p), &[2, 2])?;
    let sum = Cpu::add(&mut tape, &y, &b, None)?;
    let targets = tensor(&[1., 0., 0., 1.], &[2, 2]);
    let loss = Cpu::cross_entropy(&mut tape, &sum, &targets)?;
    let mut gradients = tape.backward(&loss)?;
    Ok([y.to_vec(), gradients.of(&b)?.to_vec(), gradients.of(&p)?.to_vec()])
}

#[test]
fn gradients_are_those_of_the_operation() {
    for run in BOTH {
        for keeps_inputs in [true, false] {
            let [y, gb, gp] = gradients(run, MultiplyAdd { keeps_inputs, fails: false }).unwrap();
            assert_eq!(y, [1.25, -1.25, 1.5, 8.75]);
            // Softmax of y + b, less the targets.
            let rows = [[1.75_f32, -2.25], [1.75, 10.75]];
            let targets = [[1., 0.], [0., 1.]];
            let mut sums = 0.0;
            for (i, (row, target)) in rows.iter().flatten().zip(targets.iter().flatten()).enumerate() {
                let pair = rows[i / 2];
                let gy = row.exp() / (pair[0].exp() + pair[1].exp()) - target;
                let expected = gy * ((i + 1) as f32 + 1.0);
                assert!((gb[i] - expected).abs() < 1e-5, "{i}: {} is not {expected}", gb[i]);
                sums += gy;
            }
            assert!((gp[0] - sums).abs() < 1e-5);
        }
    }
}

#[test]
fn an_error_on_the_way_back_is_told() {
    for run in BOTH {
        let error = gradients(run, MultiplyAdd { keeps_inputs: true, fails: true }).unwrap_err();
        assert_eq!(error.to_string(), "not on the way back");
    }
}

#[test]
fn nothing_is_recorded_where_no_gradient_is_wanted() {
    for run in BOTH {
        let [a, b, p] = [tensor(&[1.; 4], &[2, 2]), tensor(&[2.; 4], &[2, 2]), tensor(&[3.], &[1])];
        let mut tape = Tape::recording(KernelSet::Fast);
        let operation = Arc::new(MultiplyAdd { keeps_inputs: true, fails: true });
        let y = run(&mut tape, operation.clone(), &[a, b], &[p], &[2, 2]).unwrap();
        assert!(!y.wants_grad());
        assert_eq!(y.to_vec(), [5.0; 4]);
        assert_eq!(Arc::strong_count(&operation), 1, "the tape keeps nothing");
    }
}

#[test]
fn on_the_cpu_the_operation_works_on_the_tensors_own_memory() {
    struct Address;
    impl Foreign for Address {
        fn forward(&self, call: ForeignForward<'_>) -> Result<()> {
            // The address of the input, as two floats that hold its halves.
            let address = call.inputs[0].values.unwrap().as_ptr() as u64;
            call.output
                .values
                .copy_from_slice(&[f32::from_bits(address as u32), f32::from_bits((address >> 32) as u32)]);
            Ok(())
        }
        fn backward(&self, _: ForeignBackward<'_>) -> Result<()> {
            Ok(())
        }
    }
    let x = tensor(&[1.; 64], &[8, 8]);
    let y = Cpu::foreign(&mut Tape::off(KernelSet::Fast), Arc::new(Address), std::slice::from_ref(&x), &[], &[1, 2])
        .unwrap();
    let halves = y.to_vec();
    let address = u64::from(halves[0].to_bits()) | (u64::from(halves[1].to_bits()) << 32);
    assert_eq!(address, x.values().as_ptr() as u64);
}
