//! `constant`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Learning rates stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Constant {}
