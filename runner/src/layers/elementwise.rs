//! What layers that are a non-linearity alone have in common.

/// Makes a layer of a non-linearity of the engine. `inputs` or `output` names what backward needs.
macro_rules! elementwise {
    ($layer:ident, $activation:ident, keeps $kept:ident) => {
        impl $crate::layers::Layer for $layer {
            fn output(
                &self,
                inputs: &[$crate::layers::Shape],
            ) -> Result<$crate::layers::Shape, $crate::layers::LayerError> {
                let [input] = $crate::layers::exactly(inputs)?;
                Ok(*input)
            }

            fn activation(&self) -> Option<$crate::engine::Activation> {
                Some($crate::engine::Activation::$activation)
            }

            fn is_elementwise(&self) -> bool {
                true
            }

            fn kept_for_backward(&self, _: &[$crate::layers::Shape], _: $crate::layers::Shape) -> $crate::layers::Kept {
                $crate::layers::Kept { $kept: true, ..$crate::layers::Kept::NOTHING }
            }

            fn forward<D: $crate::engine::Kernels>(
                &self,
                inputs: &[$crate::engine::Tensor<D>],
                _: &[$crate::engine::Tensor<D>],
                pass: &mut $crate::layers::Pass<D>,
            ) -> Result<$crate::engine::Tensor<D>, $crate::layers::LayerError> {
                let [x] = $crate::layers::exactly(inputs)?;
                Ok(D::activate(pass.tape, x, $crate::engine::Activation::$activation)?)
            }
        }
    };
}
pub(super) use elementwise;
