//! The enum over all layers, and its YAML form.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A layer cannot do what is asked of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LayerError {
    /// The layer does not fit its inputs.
    #[error("{0}")]
    Shape(String),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] crate::engine::EngineError),
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] crate::plugin::PluginError),
}

/// Writes an entry as `name: arguments`.
pub(crate) fn entry<S: Serializer>(serializer: S, name: &str, arguments: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, arguments)?;
    map.end()
}

/// Makes the enum `AnyLayer` from the list of layers: its YAML form (`- name: arguments`, or just
/// `- name` where no argument is needed; a name that is not in the list is that of a plugin's layer), its schema, and the dispatch of [`super::Layer`].
macro_rules! layers {
    ($($(#[$doc:meta])* $variant:ident($layer:ty) = $name:literal),* $(,)?) => {
        /// Any layer of the catalogue.
        #[derive(Debug, Clone, PartialEq, schemars::JsonSchema)]
        pub enum AnyLayer {
            $($(#[$doc])* #[schemars(rename = $name)] $variant($layer),)*
            /// A layer of a plugin.
            #[schemars(skip)]
            Plugin(PluginLayer),
        }

        impl AnyLayer {
            /// The layer's name, as YAML has it.
            pub fn name(&self) -> &str {
                match self {
                    $(AnyLayer::$variant(_) => $name,)*
                    AnyLayer::Plugin(layer) => &layer.name,
                }
            }

            /// The name of the plugin that brings the layer, if one does.
            pub fn plugin(&self) -> Option<&str> {
                match self {
                    AnyLayer::Plugin(layer) => layer.plugin(),
                    _ => None,
                }
            }
        }

        impl serde::Serialize for AnyLayer {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(AnyLayer::$variant(layer) => catalogue::entry(serializer, $name, layer),)*
                    AnyLayer::Plugin(layer) => catalogue::entry(serializer, &layer.name, &layer.written()),
                }
            }
        }

        $(impl From<$layer> for AnyLayer {
            fn from(layer: $layer) -> Self { AnyLayer::$variant(layer) }
        })*

        impl Layer for AnyLayer {
            fn output(&self, inputs: &[Shape]) -> Result<Shape, LayerError> {
                catalogue::each!(self, [$($variant),*], layer => layer.output(inputs))
            }
            fn params(&self, inputs: &[Shape]) -> Vec<ParamDef> {
                catalogue::each!(self, [$($variant),*], layer => layer.params(inputs))
            }
            fn multiply_adds(&self, inputs: &[Shape], output: Shape) -> u64 {
                catalogue::each!(self, [$($variant),*], layer => layer.multiply_adds(inputs, output))
            }
            fn is_random(&self) -> bool {
                catalogue::each!(self, [$($variant),*], layer => layer.is_random())
            }
            fn activation(&self) -> Option<Activation> {
                catalogue::each!(self, [$($variant),*], layer => layer.activation())
            }
            fn fuses_activation(&self) -> bool {
                catalogue::each!(self, [$($variant),*], layer => layer.fuses_activation())
            }
            fn is_elementwise(&self) -> bool {
                catalogue::each!(self, [$($variant),*], layer => layer.is_elementwise())
            }
            fn kept_for_backward(&self, inputs: &[Shape], output: Shape) -> Kept {
                catalogue::each!(self, [$($variant),*], layer => layer.kept_for_backward(inputs, output))
            }
            fn forward<D: Kernels>(&self, inputs: &[Tensor<D>], params: &[Tensor<D>], pass: &mut Pass<D>) -> Result<Tensor<D>, LayerError> {
                catalogue::each!(self, [$($variant),*], layer => layer.forward(inputs, params, pass))
            }
        }

        impl crate::spec::named::Named for AnyLayer {
            const WHAT: &'static str = "layer";
            const NAMES: &'static [&'static str] = &[$($name),*];
            const OPEN: bool = true;

            fn read<'de, De: serde::Deserializer<'de>>(name: &str, arguments: De) -> Result<Self, De::Error> {
                match name {
                    $($name => <$layer as serde::Deserialize>::deserialize(arguments).map(AnyLayer::$variant),)*
                    _ => PluginLayer::read(name, arguments).map(AnyLayer::Plugin),
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

/// Does the same with whatever layer it is.
macro_rules! each {
    ($any:expr, [$($variant:ident),*], $layer:ident => $body:expr) => {
        match $any {
            $(AnyLayer::$variant($layer) => $body,)*
            AnyLayer::Plugin($layer) => $body,
        }
    };
}
pub(crate) use each;

#[cfg(test)]
mod tests {
    use super::super::testing::{parse, parse_error};
    use super::super::{AnyLayer, Relu};

    #[test]
    fn a_list_may_mix_both_forms() {
        let list: Vec<AnyLayer> = serde_yaml::from_str("[relu, { relu: {} }, { dropout: 0.5 }]").unwrap();
        assert_eq!(list.iter().map(AnyLayer::name).collect::<Vec<_>>(), ["relu", "relu", "dropout"]);
        assert_eq!(parse("relu"), Relu {}.into());
    }

    #[test]
    fn a_name_that_is_not_there_is_that_of_a_plugins_layer() {
        let AnyLayer::Plugin(layer) = parse("gate: { with: [0, 2], size: 3 }") else { panic!() };
        assert_eq!((layer.name.as_str(), &layer.with[..]), ("gate", &[0, 2][..]));
        assert_eq!(layer.arguments, serde_json::json!({ "size": 3 }));
        assert_eq!(layer.written(), serde_json::json!({ "size": 3, "with": [0, 2] }));
        let AnyLayer::Plugin(layer) = parse("gate") else { panic!() };
        assert_eq!(layer.arguments, serde_json::json!({}));
        assert!(parse_error("gate: { with: x }").contains("`with` takes the places of earlier layers"));
        assert!(parse_error("{ relu: {}, dropout: 0.5 }").contains("dropout"));
    }

    #[test]
    fn errors_point_at_the_argument() {
        for (yaml, path) in [
            ("[relu, { conv2d: { out: 8, kernel: 0 } }]", "[1].conv2d.kernel"),
            ("[{ conv2d: { out: 8, kernel: 3, padding: { top: -1 } } }]", "[0].conv2d.padding.top"),
            ("[{ linear: { out: clases } }]", "[0].linear.out"),
            ("[{ dropout: 2 }]", "[0].dropout"),
            ("[{ squeeze_excite: { squeeze: 0 } }]", "[0].squeeze_excite.squeeze"),
        ] {
            let deserializer = serde_yaml::Deserializer::from_str(yaml);
            let error = serde_path_to_error::deserialize::<_, Vec<AnyLayer>>(deserializer).unwrap_err();
            assert_eq!(error.path().to_string(), path, "{error}");
        }
    }

    #[test]
    fn nothing_after_the_colon_is_no_argument() {
        assert_eq!(parse("relu:"), Relu {}.into());
        assert_eq!(parse("batch_norm:"), super::super::BatchNorm::default().into());
        assert!(parse_error("conv2d:").contains("missing field `out`"));
    }
}
