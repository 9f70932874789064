//! Whether a plugin that was built anew may take over from the one before.

use crate::plan::Plan;
use crate::plugin::Plugin;
use crate::plugin::check::{Bench, CHECKS, Failure, Options};

/// Checks that say nothing beside a run: what the process holds and how long it takes is the run's.
const BESIDE_A_RUN: [&str; 1] = ["memory"];

/// Does the checks of `runner plugin check` on every plugin of a plan whose content is in `tried` not.
///
/// # Errors
/// The first check that fails, for a person.
pub fn of_plan(plan: &Plan, tried: &mut Vec<String>) -> Result<(), String> {
    for plugin in &plan.plugins {
        if tried.contains(&plugin.sha256) {
            continue;
        }
        of(plugin)?;
        tried.push(plugin.sha256.clone());
    }
    Ok(())
}

fn of(plugin: &Plugin) -> Result<(), String> {
    for kind in &plugin.kinds {
        // A schema without examples does not say what can be tried.
        let Ok(mut bench) = Bench::new(kind, Options::default()) else { continue };
        for check in CHECKS.iter().filter(|check| !BESIDE_A_RUN.contains(&check.name)) {
            if let Err(Failure { what, .. }) = bench.run(check) {
                let path = plugin.path.display();
                return Err(format!(
                    "{path}: layer `{}` fails the check `{}`: {what}\n`runner plugin check {path}` says more",
                    kind.name(),
                    check.name
                ));
            }
        }
    }
    Ok(())
}
