use super::elementwise::elementwise;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sigmoid linear unit, also called swish: `x * sigmoid(x)` (Elfwing et al. 2017).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Silu {}

elementwise!(Silu, Silu, keeps inputs);

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, evaluate, parse, parse_error, tensor};
    use super::*;

    #[test]
    fn reads_its_name_alone() {
        assert_eq!(parse("silu"), Silu {}.into());
        assert_eq!(parse("silu: {}"), Silu {}.into());
        assert!(parse_error("silu: { inplace: true }").contains("unknown field `inplace`"));
    }

    #[test]
    fn values_by_hand() {
        let x = tensor(&[1, 1, 1, 5], &[-20., -1., 0., 1., 20.]);
        assert_near(&evaluate(Silu {}, &x, &[]).values, &[-4.122_307e-8, -0.268_941_4, 0., 0.731_058_6, 20.]);
    }
}
