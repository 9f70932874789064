//! The enum over all layers, and its YAML form.

/// A layer cannot do what is asked of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LayerError {
    /// The layer does not fit its inputs.
    #[error("{0}")]
    Shape(String),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] crate::engine::EngineError),
}

/// Makes the enum `AnyLayer` from the list of layers: its YAML form (`- name: arguments`, or just
/// `- name` where no argument is needed), its schema, and the dispatch of [`super::Layer`].
macro_rules! layers {
    ($($(#[$doc:meta])* $variant:ident($layer:ty) = $name:literal),* $(,)?) => {
        /// Any layer of the catalogue.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum AnyLayer {
            $($(#[$doc])* #[serde(rename = $name)] $variant($layer),)*
        }

        impl AnyLayer {
            /// The layer's name, as YAML has it.
            pub fn name(&self) -> &'static str {
                match self { $(AnyLayer::$variant(_) => $name,)* }
            }
        }

        $(impl From<$layer> for AnyLayer {
            fn from(layer: $layer) -> Self { AnyLayer::$variant(layer) }
        })*

        impl Layer for AnyLayer {
            fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
                match self { $(AnyLayer::$variant(layer) => layer.output(inputs),)* }
            }
            fn params(&self, inputs: &[Shape]) -> Vec<ParamDef> {
                match self { $(AnyLayer::$variant(layer) => layer.params(inputs),)* }
            }
            fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
                match self { $(AnyLayer::$variant(layer) => layer.multiply_adds(inputs, output),)* }
            }
            fn is_random(&self) -> bool {
                match self { $(AnyLayer::$variant(layer) => layer.is_random(),)* }
            }
            fn activation(&self) -> Option<Activation> {
                match self { $(AnyLayer::$variant(layer) => layer.activation(),)* }
            }
            fn fuses_activation(&self) -> bool {
                match self { $(AnyLayer::$variant(layer) => layer.fuses_activation(),)* }
            }
            fn is_elementwise(&self) -> bool {
                match self { $(AnyLayer::$variant(layer) => layer.is_elementwise(),)* }
            }
            fn kept_for_backward(&self, inputs: &[Shape], output: Shape) -> Kept {
                match self { $(AnyLayer::$variant(layer) => layer.kept_for_backward(inputs, output),)* }
            }
            fn forward<D: Kernels>(&self, inputs: &[Tensor<D>], params: &[Tensor<D>], pass: &mut Pass<D>) -> Result<Tensor<D>, LayerError> {
                match self { $(AnyLayer::$variant(layer) => layer.forward(inputs, params, pass),)* }
            }
        }

        impl crate::spec::named::Named for AnyLayer {
            const WHAT: &'static str = "layer";
            const NAMES: &'static [&'static str] = &[$($name),*];

            fn read<'de, De: serde::Deserializer<'de>>(name: &str, arguments: De) -> Result<Self, De::Error> {
                match name {
                    $($name => <$layer as serde::Deserialize>::deserialize(arguments).map(AnyLayer::$variant),)*
                    _ => Err(serde::de::Error::unknown_variant(name, <Self as crate::spec::named::Named>::NAMES)),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for AnyLayer {
            fn deserialize<De: serde::Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
                crate::spec::named::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use layers;
