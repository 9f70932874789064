//! What the checks of one kind of layer share.

use super::{Case, Check, Checked, Outcome, arguments};
use crate::plugin::Kind;
use serde_json::Value;
use std::sync::Arc;

/// What a person asks a check to use, in place of what it would choose.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Arguments; none: those that the schema gives or allows.
    pub arguments: Vec<Value>,
    /// Shapes of inputs for one sample; none: a selection.
    pub inputs: Vec<Vec<Vec<usize>>>,
}

/// A kind of layer under check.
#[derive(Debug)]
pub struct Bench {
    pub(super) kind: Arc<Kind>,
    pub(super) arguments: Vec<Value>,
    /// Shapes that are given; none: a selection.
    pub(super) inputs: Vec<Vec<Vec<usize>>>,
    /// What `shapes` found that the layer takes.
    pub(super) cases: Vec<Case>,
    /// The check after which the others say nothing.
    ended_by: Option<&'static str>,
}

impl Bench {
    /// A bench for a kind. An error says that its schema does not tell what it can be made of.
    pub fn new(kind: &Arc<Kind>, options: Options) -> Result<Self, String> {
        let Options { mut arguments, inputs } = options;
        if arguments.is_empty() {
            arguments = arguments::of(kind.arguments()).ok_or_else(|| {
                format!(
                    "what can `{}` be made of? Its schema has no examples: give some with --arguments '{{...}}'",
                    kind.name()
                )
            })?;
        }
        Ok(Bench { kind: kind.clone(), arguments, inputs, cases: Vec::new(), ended_by: None })
    }

    /// Does a check.
    pub fn run(&mut self, check: &Check) -> Checked {
        if let Some(by) = self.ended_by {
            return Ok(Outcome::Skipped(format!("`{by}` failed")));
        }
        // Should the plugin end the program, this says where.
        tracing::info!("checking `{}`: {}", self.kind.name(), check.name);
        let checked = (check.run)(self);
        if checked.as_ref().is_err_and(|failure| failure.is_final) {
            self.ended_by = Some(check.name);
        }
        checked
    }
}
