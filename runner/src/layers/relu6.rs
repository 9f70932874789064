use super::elementwise::elementwise;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rectified linear unit with a ceiling: `min(max(x, 0), 6)` (Howard et al. 2017).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Relu6 {}

elementwise!(Relu6, Relu6, keeps output);

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, parse, parse_error, tensor};
    use super::*;

    #[test]
    fn reads_its_name_alone() {
        assert_eq!(parse("relu6"), Relu6 {}.into());
        assert_eq!(parse("relu6: {}"), Relu6 {}.into());
        assert!(parse_error("relu6: { inplace: true }").contains("unknown field `inplace`"));
    }

    #[test]
    fn values_by_hand() {
        let x = tensor(&[1, 1, 1, 5], &[-2., 0., 3., 6., 7.]);
        assert_near(&evaluate(Relu6 {}, &x, &[]).values, &[0., 0., 3., 6., 6.]);
    }
}
