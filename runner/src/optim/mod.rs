//! Optimizers and learning-rate schedules.

pub mod adamw;
pub mod schedule;
pub mod sgd;

pub use adamw::AdamW;
pub use schedule::{Clock, Rewarm, Scheduler, WarmUp};
pub use sgd::Sgd;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The optimizer: `adamw` or `sgd`, with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW(AdamW),
    /// Stochastic gradient descent with momentum.
    Sgd(Sgd),
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer::AdamW(AdamW::default())
    }
}

impl crate::spec::named::Named for Optimizer {
    const WHAT: &'static str = "optimizer";
    const NAMES: &'static [&'static str] = &["adamw", "sgd"];

    fn read<'de, D: serde::Deserializer<'de>>(name: &str, arguments: D) -> Result<Self, D::Error> {
        match name {
            "adamw" => AdamW::deserialize(arguments).map(Optimizer::AdamW),
            "sgd" => Sgd::deserialize(arguments).map(Optimizer::Sgd),
            _ => Err(serde::de::Error::unknown_variant(name, Self::NAMES)),
        }
    }
}

impl<'de> Deserialize<'de> for Optimizer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::spec::named::deserialize(deserializer)
    }
}
