//! The enum over all augmentations of one image, and its YAML form.

/// Makes the enum `Augment` from the list of augmentations: YAML form, schema and dispatch.
macro_rules! augmentations {
    ($($(#[$doc:meta])* $variant:ident($entry:ty) = $name:literal),* $(,)?) => {
        /// Any augmentation of one image.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Augment {
            $($(#[$doc])* #[serde(rename = $name)] $variant($entry),)*
        }

        impl Augment {
            /// The name, as YAML has it.
            pub fn name(&self) -> &'static str {
                match self { $(Augment::$variant(_) => $name,)* }
            }
        }

        impl ImageAugment for Augment {
            fn apply(&self, image: Pixels, target: [usize; 2], random: &mut Stream) -> Pixels {
                match self { $(Augment::$variant(entry) => entry.apply(image, target, random),)* }
            }
        }

        impl crate::spec::named::Named for Augment {
            const WHAT: &'static str = "augmentation";
            const NAMES: &'static [&'static str] = &[$($name),*];

            fn read<'de, De: serde::Deserializer<'de>>(name: &str, arguments: De) -> Result<Self, De::Error> {
                match name {
                    $($name => <$entry as serde::Deserialize>::deserialize(arguments).map(Augment::$variant),)*
                    _ => Err(serde::de::Error::unknown_variant(name, <Self as crate::spec::named::Named>::NAMES)),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for Augment {
            fn deserialize<De: serde::Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
                crate::spec::named::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use augmentations;
