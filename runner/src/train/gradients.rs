//! Norms and clipping of gradients, by group.

use super::TrainError;
use crate::engine::{Gradients, Kernels, Later, Result, Tensor};
use crate::net::Net;
use crate::plan::PhasePlan;
use crate::ranks::Ranks;
use crate::regularize::{Regularization, clip_grad_norm};

/// Sums the gradients of what trains over the ranks, each of which has those of its share of a batch.
pub fn sum<D: Kernels>(
    phase: &PhasePlan,
    net: &Net<D>,
    gradients: &mut Gradients<D>,
    ranks: &Ranks,
) -> std::result::Result<(), TrainError> {
    let params = || phase.groups.iter().flat_map(|group| &group.params).map(|&param| net.params.get(param));
    let mut all = Vec::with_capacity(params().map(Tensor::len).sum());
    for tensor in params() {
        all.extend(gradients.of(tensor)?.read()?);
    }
    ranks.sum_many(&mut all)?;
    let mut rest = all.as_slice();
    for tensor in params() {
        let (values, others) = rest.split_at(tensor.len());
        gradients.put(tensor, values.to_vec())?;
        rest = others;
    }
    Ok(())
}

/// The norm of the gradient of each group of the phase.
pub fn norms<D: Kernels>(phase: &PhasePlan, net: &Net<D>, gradients: &mut Gradients<D>) -> Result<Later<Vec<f64>>> {
    let params: Vec<&Tensor<D>> =
        phase.groups.iter().flat_map(|group| &group.params).map(|&param| net.params.get(param)).collect();
    let squares = gradients.norms_squared(&params)?;
    let counts: Vec<usize> = phase.groups.iter().map(|group| group.params.len()).collect();
    Ok(Later::new(move || {
        let mut squares = squares.get()?.into_iter();
        Ok(counts.into_iter().map(|count| squares.by_ref().take(count).sum::<f64>().sqrt()).collect())
    }))
}

/// Clips gradients as the phase says, or else the regularization: by the norm over all that trains, then by value.
/// Their norms are waited for only where they are needed for it.
pub fn clip<D: Kernels>(
    phase: &PhasePlan,
    regularization: &Regularization,
    net: &Net<D>,
    gradients: &mut Gradients<D>,
    mut norms: Later<Vec<f64>>,
) -> Result<Later<Vec<f64>>> {
    let params = || phase.groups.iter().flat_map(|group| group.params.iter());
    if let Some(bound) = phase.clip_grad_norm.or(regularization.clip_grad_norm) {
        let known = norms.get()?;
        let factor = clip_grad_norm::factor(total(&known), bound);
        if factor < 1.0 {
            for &param in params() {
                gradients.scale(net.params.get(param), factor as f32)?;
            }
        }
        norms = Later::known(known);
    }
    if let Some(bound) = phase.clip_grad_value.or(regularization.clip_grad_value) {
        for &param in params() {
            gradients.clip(net.params.get(param), bound as f32)?;
        }
    }
    Ok(norms)
}

/// The norm over all groups.
pub fn total(norms: &[f64]) -> f64 {
    norms.iter().map(|norm| norm * norm).sum::<f64>().sqrt()
}
