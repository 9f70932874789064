//! The values of a net's parameters.

use super::graph::{Graph, ParamId};
use crate::engine::{Kernels, Tensor};

/// The values of all parameters and buffers of a net, by [`ParamId`].
#[derive(Debug, Clone)]
pub struct Params<D: Kernels> {
    tensors: Vec<Tensor<D>>,
}

impl<D: Kernels> Params<D> {
    /// These values; as many as the graph has parameters, in their order and shapes.
    pub fn new(tensors: Vec<Tensor<D>>) -> Self {
        Params { tensors }
    }

    /// The tensor of a parameter.
    pub fn get(&self, param: ParamId) -> &Tensor<D> {
        &self.tensors[param]
    }

    /// The tensor of a parameter, to be updated.
    pub fn get_mut(&mut self, param: ParamId) -> &mut Tensor<D> {
        &mut self.tensors[param]
    }

    /// Replaces the values of a parameter.
    pub fn set(&mut self, param: ParamId, tensor: Tensor<D>) {
        self.tensors[param] = tensor;
    }

    /// All tensors, in the order of the graph's parameters.
    pub fn tensors(&self) -> &[Tensor<D>] {
        &self.tensors
    }

    /// Says for each parameter whether backward is to compute its gradient.
    pub fn want_grads(&mut self, wanted: &[bool]) {
        for (tensor, &wanted) in self.tensors.iter_mut().zip(wanted) {
            *tensor = tensor.clone().wanting_grad(wanted);
        }
    }

    /// True when there is a tensor for each parameter of `graph`, of its shape.
    pub fn fit(&self, graph: &Graph) -> bool {
        self.tensors.len() == graph.params.len()
            && self.tensors.iter().zip(&graph.params).all(|(tensor, param)| tensor.dims() == param.def.dims)
    }
}
