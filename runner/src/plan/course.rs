//! The phases of a new plan, held against a run that is under way.

mod same;
#[cfg(test)]
mod tests;

use super::{PhasePlan, Plan};
use crate::net::Graph;
use crate::spec::{Path, Problem, Problems, Schedule, UnderWay};
use same::difference;

/// What of a plan says which phases there are.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The schedule as it is written.
    pub schedule: &'a Schedule,
    /// The net.
    pub graph: &'a Graph,
    /// The phases in it.
    pub phases: &'a [PhasePlan],
}

impl<'a> From<&'a Plan> for Side<'a> {
    fn from(plan: &'a Plan) -> Self {
        Side { schedule: &plan.spec.schedule, graph: &plan.graph, phases: &plan.phases }
    }
}

/// How a run that is under way goes on by a new plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Course {
    /// The place of the phase that runs among the new plan's; none where that lacks it, or none runs.
    pub running: Option<usize>,
    /// Why the phase that runs ends with the epoch that runs, where the new plan says so.
    pub ends: Option<String>,
    /// The place of the phase that comes next; the new plan's from there on come one after the other.
    /// None where the run ends.
    pub next: Option<usize>,
}

/// How the run goes on. Phases go by name, and what is done is not done again: so that each phase of the
/// new plan that is neither done nor running runs once, in the order of the plan.
///
/// # Errors
/// Phases that would never run, phases that are done and would not run again, and what trains in the phase
/// that runs being something else: each at its place in the new spec.
pub fn course(under_way: &UnderWay, old: Side<'_>, new: Side<'_>) -> Result<Course, Problems> {
    let mut problems = Problems::default();
    let place = |name: &str| new.phases.iter().position(|phase| phase.name == name);
    let running = under_way.running.as_ref().and_then(|running| place(&running.name));
    let last_done = under_way.done.iter().filter_map(|name| place(name)).max();
    match running {
        Some(running) => in_order(under_way, new, running, &mut problems),
        None => last_done.into_iter().for_each(|last| in_order(under_way, new, last, &mut problems)),
    }
    let mut course = Course { running, ends: None, next: None };
    if let Some(running) = &under_way.running {
        let phase = course.running.and_then(|place| new.phases.get(place));
        course.ends = match phase {
            None => Some("the spec no longer has it".to_owned()),
            Some(phase) if phase.epochs <= running.epochs => {
                Some(format!("the spec gives it {}, and {} are done", epochs(phase.epochs), running.epochs))
            }
            Some(_) => None,
        };
        let before = old.phases.iter().find(|phase| phase.name == running.name);
        if let (Some(before), Some(after), Some(place)) = (before, phase, course.running) {
            stays(running.epochs, (old, before), (new, after, place), &mut problems);
        }
    }
    let next = running.or(last_done).map_or(0, |last| last + 1);
    course.next = Some(next).filter(|&next| next < new.phases.len());
    problems.or(course)
}

/// Notes phases before the last that has begun which are not done, and phases after it which are.
fn in_order(under_way: &UnderWay, new: Side<'_>, last: usize, problems: &mut Problems) {
    let Some(begun) = new.phases.get(last).map(|phase| phase.name.as_str()) else { return };
    let state = if under_way.runs(begun) { "runs" } else { "is done" };
    for (place, phase) in new.phases.iter().enumerate() {
        let (name, done) = (&phase.name, under_way.is_done(&phase.name));
        let (message, help) = if place < last && !done {
            let message = format!("`{name}` would never run: it stands before `{begun}`, which {state}");
            (message, format!("put it after `{begun}`"))
        } else if place > last && done {
            let message =
                format!("`{name}` would not run again: it is done, and stands after `{begun}`, which {state}");
            (message, "give it another name to run it again, or leave it where it was".to_owned())
        } else {
            continue;
        };
        problems.push(problem(new, place, "name", message).help(help));
    }
}

/// Notes that something else would train in the phase that runs.
fn stays(done: usize, old: (Side<'_>, &PhasePlan), new: (Side<'_>, &PhasePlan, usize), problems: &mut Problems) {
    let (side, phase, place) = new;
    let Some(difference) = difference((old.0.graph, old.1), (side.graph, phase)) else { return };
    let message = format!("what trains in `{}` cannot change while it runs: {}", phase.name, difference.what);
    let help = format!(
        "let it end with the epoch that runs (`epochs: {}`), and add a phase of another name after it",
        done.saturating_add(1)
    );
    problems.push(problem(side, place, difference.key, message).help(help));
}

/// A problem with a phase: at a key of it where it is written out, else at the shorthand.
fn problem(side: Side<'_>, place: usize, key: &str, message: String) -> Problem {
    let at: Path = side.schedule.place_of(place);
    if side.schedule.phases.is_some() {
        return Problem::new(at.key(key), message);
    }
    Problem::new(at, message).at_key()
}

fn epochs(count: usize) -> String {
    if count == 1 { "1 epoch".to_owned() } else { format!("{count} epochs") }
}
