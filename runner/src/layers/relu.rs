use super::elementwise::elementwise;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rectified linear unit: `max(x, 0)`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Relu {}

elementwise!(Relu, Relu, keeps output);

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, parse, parse_error, tensor};
    use super::*;

    #[test]
    fn reads_its_name_alone() {
        assert_eq!(parse("relu"), Relu {}.into());
        assert_eq!(parse("relu: {}"), Relu {}.into());
        assert!(parse_error("relu: { inplace: true }").contains("unknown field `inplace`"));
    }

    #[test]
    fn values_by_hand() {
        let x = tensor(&[1, 1, 1, 5], &[-2., -0.5, 0., 0.5, 7.]);
        assert_near(&evaluate(Relu {}, &x, &[]).values, &[0., 0., 0., 0.5, 7.]);
    }
}
