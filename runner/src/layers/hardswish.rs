use super::elementwise::elementwise;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hard swish: `x * relu6(x + 3) / 6` (Howard et al. 2019).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hardswish {}

elementwise!(Hardswish, Hardswish, keeps inputs);

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, parse, parse_error, tensor};
    use super::*;

    #[test]
    fn reads_its_name_alone() {
        assert_eq!(parse("hardswish"), Hardswish {}.into());
        assert_eq!(parse("hardswish: {}"), Hardswish {}.into());
        assert!(parse_error("hardswish: { inplace: true }").contains("unknown field `inplace`"));
    }

    #[test]
    fn values_by_hand() {
        let x = tensor(&[1, 1, 1, 5], &[-4., -1., 0., 1., 5.]);
        assert_near(&evaluate(Hardswish {}, &x, &[]).values, &[0., -1. / 3., 0., 2. / 3., 5.]);
    }
}
