use super::elementwise::elementwise;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sigmoid: `1 / (1 + exp(-x))`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sigmoid {}

elementwise!(Sigmoid, Sigmoid, keeps inputs);

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, parse, parse_error, tensor};
    use super::*;

    #[test]
    fn reads_its_name_alone() {
        assert_eq!(parse("sigmoid"), Sigmoid {}.into());
        assert_eq!(parse("sigmoid: {}"), Sigmoid {}.into());
        assert!(parse_error("sigmoid: { inplace: true }").contains("unknown field `inplace`"));
    }

    #[test]
    fn values_by_hand() {
        let x = tensor(&[1, 1, 1, 5], &[-90., -1., 0., 1., 90.]);
        assert_near(&evaluate(Sigmoid {}, &x, &[]).values, &[0., 0.268_941_4, 0.5, 0.731_058_6, 1.]);
    }
}
