//! `ema`.

use crate::spec::check::range;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A moving average of the weights over the steps, evaluated beside the weights themselves (Polyak and
/// Juditsky 1992; as `ModelEmaV3` of timm).
///
/// After each step `average += (1 - decay) * (weights - average)`, running statistics of batch norm
/// included; the first step's weights begin it. The best checkpoint holds whichever does better by the
/// watched metric. What is frozen in a phase is in the average as it is in the net.
///
/// `ema: { decay: 0.999 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ema {
    /// The share of the average that is kept in a step, from 0 to below 1. It looks back about
    /// `1 / (1 - decay)` steps: that should be less than the run has.
    #[serde(default = "Ema::default_decay")]
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub decay: f64,
    /// Whether the decay rises from 0 over the first steps, as `1 - (1 + step)^(-2/3)`: the average then
    /// forgets the beginning sooner.
    #[serde(default)]
    pub warm_up: bool,
}

impl Ema {
    fn default_decay() -> f64 {
        0.999
    }

    /// Notes every argument that is out of range. `at` is where the arguments stand in the spec.
    pub fn check(&self, at: &Path, problems: &mut Problems) {
        range(problems, at.key("decay"), &self.decay, 0.0..1.0, "a decay");
    }

    /// The decay of an update, where there were so many before it.
    pub fn decay_after(&self, updates: u64) -> f64 {
        if updates == 0 {
            return 0.0;
        }
        let rising = 1.0 - (1.0 + updates as f64).powf(-2.0 / 3.0);
        if self.warm_up { rising.min(self.decay) } else { self.decay }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decay_is_that_of_timm() {
        // timm.utils.ModelEmaV3(decay=0.9, use_warmup=True).get_decay(step) for step 1, 2, 5, 1000.
        let rising = Ema { decay: 0.9, warm_up: true };
        let timm = [(0, 0.0), (1, 0.370_039_475_052_563_5), (4, 0.658_004_810_664_660_5), (999, 0.9)];
        for (updates, decay) in timm {
            assert!((rising.decay_after(updates) - decay).abs() < 1e-12, "{updates}: {}", rising.decay_after(updates));
        }
        let steady = Ema { decay: 0.9, warm_up: false };
        assert_eq!([0, 1, 4].map(|updates| steady.decay_after(updates)), [0.0, 0.9, 0.9]);
    }
}
