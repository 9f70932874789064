//! Pulls, noise, limits and averages, by both sets of kernels.

use super::check::{close, normal, tensors};
use crate::{Cpu, Gradients, KernelSet, Kernels, Pull, Tape, Tensor, assembled};

/// Gradients in which `param` has these values.
fn gradients(param: &Tensor<Cpu>, values: &[f32]) -> Gradients<Cpu> {
    let mut tape = Tape::recording(KernelSet::Fast);
    let values = Tensor::from_vec(param.device(), values.to_vec(), &[values.len(), 1]).unwrap();
    let row = param.reshape(&[1, param.len()]).unwrap();
    let loss = Cpu::matmul(&mut tape, &row, &values).unwrap().reshape(&[]).unwrap();
    tape.backward(&loss).unwrap()
}

#[test]
fn a_pull_is_the_slope_of_its_penalty() {
    let device = Cpu::default();
    let (dims, mut values) = normal(1, &[6, 5]);
    values[3] = 0.0;
    let (_, start) = normal(2, &[6, 5]);
    let (_, given) = normal(3, &[6, 5]);
    let all = tensors(&device, &[(dims.clone(), values.clone()), (dims, start.clone())], &[0]);
    for towards in [None, Some(&all[1])] {
        let pull = Pull { absolute: 0.25, square: 0.5, towards };
        let expected: Vec<f64> = (0..30)
            .map(|i| {
                let away = f64::from(values[i]) - towards.map_or(0.0, |_| f64::from(start[i]));
                let sign = if away == 0.0 { 0.0 } else { away.signum() };
                f64::from(given[i]) + 0.5 * away + 0.25 * sign
            })
            .collect();
        let (mut fast, mut portable) = (gradients(&all[0], &given), gradients(&all[0], &given));
        pull.add(&mut fast, &all[0]).unwrap();
        assembled::pull(&pull, &mut portable, &all[0]).unwrap();
        close("fast", &fast.of(&all[0]).unwrap().to_vec(), &expected, 1e-6);
        close("assembled", &portable.of(&all[0]).unwrap().to_vec(), &expected, 1e-6);
    }
    let other = Tensor::zeros(&device, &[7]).unwrap();
    let wrong = Pull { absolute: 0.0, square: 1.0, towards: Some(&other) };
    assert!(wrong.add(&mut gradients(&all[0], &given), &all[0]).is_err());
}

#[test]
fn a_weight_at_its_place_is_not_pulled() {
    let device = Cpu::default();
    let param = tensors(&device, &[normal(1, &[9])], &[0]).remove(0);
    // A clone has the identity of the parameter.
    let pull = Pull { absolute: 1.0, square: 1e3, towards: Some(&param.clone()) };
    let (mut fast, mut portable) = (gradients(&param, &[0.5; 9]), gradients(&param, &[0.5; 9]));
    pull.add(&mut fast, &param).unwrap();
    assembled::pull(&pull, &mut portable, &param).unwrap();
    assert_eq!(fast.of(&param).unwrap().to_vec(), [0.5; 9]);
    assert_eq!(portable.of(&param).unwrap().to_vec(), [0.5; 9]);
}

#[test]
fn values_are_added_to_a_gradient() {
    let device = Cpu::default();
    let all = tensors(&device, &[(vec![3], vec![0.0; 3]), (vec![3], vec![1.0, -2.0, 0.5])], &[0]);
    let (mut fast, mut portable) = (gradients(&all[0], &[1.0; 3]), gradients(&all[0], &[1.0; 3]));
    fast.add(&all[0], &all[1]).unwrap();
    assembled::add_to_gradient(&mut portable, &all[0], &all[1]).unwrap();
    assert_eq!(fast.of(&all[0]).unwrap().to_vec(), [2.0, -1.0, 1.5]);
    assert_eq!(portable.of(&all[0]).unwrap().to_vec(), [2.0, -1.0, 1.5]);
}

#[test]
fn norms_are_limited_output_by_output() {
    let device = Cpu::default();
    // Two outputs: (3, 4) with norm 5, and (0.3, 0.4) with norm 0.5.
    let tensor = || Tensor::from_vec(&device, vec![3.0, 0.3, 4.0, 0.4], &[1, 2, 1, 2]).unwrap().wanting_grad(true);
    let (mut fast, mut portable) = (tensor(), tensor());
    let kept = fast.clone();
    fast.limit_norms(2.0).unwrap();
    assembled::limit_norms(&mut portable, 2.0).unwrap();
    for limited in [&fast, &portable] {
        let values = limited.to_vec();
        close("limited", &values, &[1.2, 0.3, 1.6, 0.4], 1e-6);
        assert_eq!((values[1].to_bits(), values[3].to_bits()), (0.3_f32.to_bits(), 0.4_f32.to_bits()));
        assert!(limited.wants_grad(), "still trained");
    }
    assert_eq!(kept.to_vec(), [3.0, 0.3, 4.0, 0.4], "a clone keeps the old values");
}

#[test]
fn an_average_goes_a_share_of_the_way() {
    let device = Cpu::default();
    let all = tensors(&device, &[normal(1, &[40]), normal(2, &[40])], &[]);
    let (a, b) = (all[0].to_vec(), all[1].to_vec());
    let expected: Vec<f64> =
        a.iter().zip(&b).map(|(&a, &b)| f64::from(a) + 0.3 * (f64::from(b) - f64::from(a))).collect();
    let (mut fast, mut portable) = (all[0].clone(), all[0].clone());
    fast.approach(&all[1], 0.3).unwrap();
    assembled::approach(&mut portable, &all[1], 0.3).unwrap();
    close("fast", &fast.to_vec(), &expected, 1e-6);
    close("assembled", &portable.to_vec(), &expected, 1e-6);
    assert_eq!(all[0].to_vec(), a, "a clone keeps the old values");
    assert!(fast.approach(&Tensor::zeros(&device, &[3]).unwrap(), 0.5).is_err());
}
