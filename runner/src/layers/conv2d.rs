use super::{Layer, LayerError, Layout, ParamDef, Pass, Role, Shape};
use crate::engine::{Kernels, Padding, Tensor, Window};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Two-dimensional convolution over an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// Output channels.
    pub out: usize,
}

impl Layer for Conv2d {
    fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
        let _ = (self, Padding::default());
        Ok(inputs[0])
    }

    fn params(&self, inputs: &[Shape]) -> Vec<ParamDef> {
        let dims = vec![1, 1, inputs[0].channels(), self.out];
        vec![ParamDef { name: "weight", dims, role: Role::Weight, layout: Layout::Conv, fans: (1, 1) }]
    }

    fn forward<D: Kernels>(
        &self,
        inputs: &[Tensor<D>],
        params: &[Tensor<D>],
        pass: &mut Pass<D>,
    ) -> Result<Tensor<D>, LayerError> {
        let window = Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], padding: Padding::default() };
        Ok(D::conv2d(pass.tape, &inputs[0], &params[0], &window, 1)?)
    }
}
