//! The enums over all augmentations, of one image and of a batch, and their YAML forms.

/// Makes the enum `$any` from a list of entries: its YAML form (`- name: arguments`, or just
/// `- name` where no argument is needed), its schema and its name.
macro_rules! catalogue {
    ($(#[$any_doc:meta])* $any:ident, $what:literal;
     $($(#[$doc:meta])* $variant:ident($entry:ty) = $name:literal),* $(,)?) => {
        $(#[$any_doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $any {
            $($(#[$doc])* #[serde(rename = $name)] $variant($entry),)*
        }

        impl $any {
            /// The name, as YAML has it.
            pub fn name(&self) -> &'static str {
                match self { $($any::$variant(_) => $name,)* }
            }
        }

        impl crate::spec::named::Named for $any {
            const WHAT: &'static str = $what;
            const NAMES: &'static [&'static str] = &[$($name),*];

            fn read<'de, De: serde::Deserializer<'de>>(name: &str, arguments: De) -> Result<Self, De::Error> {
                match name {
                    $($name => <$entry as serde::Deserialize>::deserialize(arguments).map($any::$variant),)*
                    _ => Err(serde::de::Error::unknown_variant(name, <Self as crate::spec::named::Named>::NAMES)),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $any {
            fn deserialize<De: serde::Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
                crate::spec::named::deserialize(deserializer)
            }
        }
    };
}

/// Makes the enum `Augment` from the list of augmentations of one image.
macro_rules! augmentations {
    ($($(#[$doc:meta])* $variant:ident($entry:ty) = $name:literal),* $(,)?) => {
        catalogue::catalogue! {
            /// Any augmentation of one image.
            Augment, "augmentation";
            $($(#[$doc])* $variant($entry) = $name),*
        }

        impl Entry for Augment {
            fn name(&self) -> &'static str {
                Augment::name(self)
            }

            fn check(&self, at: &Path, problems: &mut Problems) {
                ImageAugment::check(self, at, problems);
            }
        }

        impl ImageAugment for Augment {
            fn check(&self, at: &Path, problems: &mut Problems) {
                match self { $(Augment::$variant(entry) => ImageAugment::check(entry, at, problems),)* }
            }
            fn sizes(&self) -> bool {
                match self { $(Augment::$variant(entry) => entry.sizes(),)* }
            }
            fn is_fixed(&self) -> bool {
                match self { $(Augment::$variant(entry) => entry.is_fixed(),)* }
            }
            fn depends_on_epoch(&self) -> bool {
                match self { $(Augment::$variant(entry) => entry.depends_on_epoch(),)* }
            }
            fn apply(&self, image: Pixels, context: Context, random: &mut Stream) -> Pixels {
                match self { $(Augment::$variant(entry) => entry.apply(image, context, random),)* }
            }
            fn apply_to(&self, image: &Pixels, context: Context, random: &mut Stream) -> Pixels {
                match self { $(Augment::$variant(entry) => entry.apply_to(image, context, random),)* }
            }
        }
    };
}

/// Makes the enum `BatchAugment` from the list of augmentations of a batch.
macro_rules! batch_augmentations {
    ($($(#[$doc:meta])* $variant:ident($entry:ty) = $name:literal),* $(,)?) => {
        catalogue::catalogue! {
            /// Any augmentation of a whole batch.
            BatchAugment, "batch augmentation";
            $($(#[$doc])* $variant($entry) = $name),*
        }

        impl Entry for BatchAugment {
            fn name(&self) -> &'static str {
                BatchAugment::name(self)
            }

            fn check(&self, at: &Path, problems: &mut Problems) {
                WholeBatchAugment::check(self, at, problems);
            }
        }

        impl WholeBatchAugment for BatchAugment {
            fn check(&self, at: &Path, problems: &mut Problems) {
                match self { $(BatchAugment::$variant(entry) => WholeBatchAugment::check(entry, at, problems),)* }
            }
            fn apply(&self, batch: &mut BatchValues, epoch: u64, random: &mut Stream) {
                match self { $(BatchAugment::$variant(entry) => entry.apply(batch, epoch, random),)* }
            }
        }
    };
}
pub(crate) use {augmentations, batch_augmentations, catalogue};
