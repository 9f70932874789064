//! `engine:` in a spec.

use crate::engine::{Precision, Winograd};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the device computes.
///
/// `engine: { winograd: f4, precision: tf32 }`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Which convolutions by 3x3 windows save multiplications: `f2`, `f4` or `off`.
    #[serde(default)]
    pub winograd: Winograd,
    /// How exactly a GPU takes products of matrices: `f32` or `tf32`.
    #[serde(default)]
    pub precision: Precision,
}

impl Engine {
    /// Whether it is what a spec without it means.
    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
    pub fn is_default(&self) -> bool {
        *self == Engine::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_people_write_them() {
        for (text, winograd) in [("f2", Winograd::F2), ("f4", Winograd::F4), ("off", Winograd::Off)] {
            let engine: Engine = serde_yaml::from_str(&format!("{{ winograd: {text} }}")).unwrap();
            assert_eq!(engine, Engine { winograd, ..Engine::default() });
        }
        for (text, precision) in [("f32", Precision::F32), ("tf32", Precision::Tf32)] {
            let engine: Engine = serde_yaml::from_str(&format!("{{ precision: {text} }}")).unwrap();
            assert_eq!(engine, Engine { precision, ..Engine::default() });
        }
        assert!(serde_yaml::from_str::<Engine>("{ precision: bf16 }").is_err());
        assert!(serde_yaml::from_str::<Engine>("{ winograd: f6 }").is_err());
        assert!(serde_yaml::from_str::<Engine>("{}").unwrap().is_default());
    }
}
