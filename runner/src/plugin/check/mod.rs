//! Tries a layer of a plugin as the runner will use it, and in ways that it should survive.
//!
//! A [`Bench`] holds a kind of layer, the arguments that it is made with and the [`Case`]s: an
//! instance over inputs of shapes that it takes. The [`CHECKS`] are done one after another, each in
//! a file of its own; what one makes of the bench, the next may use. All calls have guard words
//! around their buffers. Random values are counted from fixed keys, so a fault that is found once is
//! found again.
//!
//! A plugin is native code: one that reaches outside of its memory may end the whole program, and
//! with it the check. The check that was under way is the one that caused it.

mod addition;
mod arguments;
mod bench;
mod calls;
mod case;
mod create;
mod evaluation;
mod gradients;
mod memory;
mod outcome;
mod pass;
mod schema;
mod shapes;
mod tensor;
mod threads;
mod training;

pub use bench::{Bench, Options};
pub use case::Case;
pub use outcome::{Checked, Failure, Outcome};

/// One check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// What it is about.
    pub name: &'static str,
    run: fn(&mut Bench) -> Checked,
}

/// All checks, in their order.
pub const CHECKS: [Check; 11] = [
    Check { name: "schema", run: schema::check },
    Check { name: "create", run: create::check },
    Check { name: "shapes", run: shapes::check },
    Check { name: "evaluation", run: evaluation::check },
    Check { name: "training", run: training::check },
    Check { name: "gradients in evaluation", run: gradients::check_evaluation },
    Check { name: "gradients in training", run: gradients::check_training },
    Check { name: "gradients are added", run: addition::check },
    Check { name: "calls are apart", run: calls::check },
    Check { name: "threads", run: threads::check },
    Check { name: "memory", run: memory::check },
];
