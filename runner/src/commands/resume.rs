//! `runner resume RUN`.

use super::CommandError;
use super::on_device::on_own_device;
use super::run::{Train, WatchArgs, exit_code, following, locked, open_data, run_dir_of, stop_on_interrupt};
use crate::cache;
use crate::plan::runs::is_run;
use crate::ranks::Ranks;
use crate::spec::{Override, Pipeline, load_text, resolved};
use crate::train::reload::saves::Followed;
use crate::train::reload::{Prepared, Saves};
use crate::train::run::{Checkpoint, Job, workers};
use crate::train::specs::{self, FIRST, Origin};
use crate::train::state::RunState;
use crate::train::{EventLog, RunDir, TrainError};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Goes on with a run from its last checkpoint that is whole; where it has none yet, from its beginning. What
/// its spec says by now is taken up as while it ran.
pub fn run(run: &Path, watch: &WatchArgs, ranks: &Ranks) -> Result<ExitCode, CommandError> {
    let dir = run_dir_of(run)?;
    let _lock = locked(&dir, ranks)?;
    if ranks.tell(|| is_finished(&dir))? {
        if ranks.is_first() {
            println!("{}: the run is finished, nothing is left to do", run.display());
        }
        return Ok(ExitCode::SUCCESS);
    }
    if ranks.is_first() {
        dir.remove_unfinished()?;
    }
    let mut from = ranks.first_then_others(|| Checkpoint::latest(&dir))?;
    if let Some(from) = &mut from {
        from.notes.extend(other_ranks(&from.state, ranks));
    } else if ranks.is_first() {
        println!("{}: the run has no checkpoint yet, and begins anew", run.display());
        let path = dir.file("events.jsonl");
        EventLog::reopen(&path, 0).map_err(TrainError::file(&path))?;
    }
    let state = from.as_ref().map(|from| &from.state);
    let number = state.map_or(FIRST, |state| state.spec);
    let pending = state.and_then(|state| state.pending);
    let kept = kept(&dir, number)?;
    let pending = pending.map(|number| self::kept(&dir, number)).transpose()?;
    let put_in_effect = || if ranks.is_first() { specs::put_in_effect(&dir, number) } else { Ok(()) };
    ranks.first_then_others(|| put_in_effect().map_err(CommandError::from))?;

    let stop = stop_on_interrupt(ranks);
    let (mut data, bad) = open_data(&kept.plan, dir.path(), ranks)?;
    let origin = Origin::read(&dir).unwrap_or_else(|| Origin {
        spec: dir.file(&specs::name(number)),
        sets: Vec::new(),
        data: data.facts.description.clone(),
    });
    data.facts.description.clone_from(&origin.data);
    let latest = pending.as_ref().unwrap_or(&kept);
    let followed = Followed::new(&origin, &latest.loaded.text, &latest.written, &latest.plan);
    let follow = following(&origin, ranks, || match watch.how() {
        Some(how) => Box::new(Saves::follow(followed, how)),
        None => Box::new(Saves::once(&followed)),
    });
    let job = Job {
        data,
        bad,
        dir: &dir,
        features: cache::features(),
        stop,
        workers: workers(&kept.plan.spec, ranks),
        ranks: ranks.clone(),
        batches_a_step: state.map_or(ranks.count(), |state| state.batches_a_step),
        follow,
        written: kept.written,
        number,
        command: origin.command(),
        plan: Arc::new(kept.plan),
    };
    let outcome = on_own_device(&Arc::clone(&job.plan).spec, ranks, Train { job, from, pending })??;
    Ok(exit_code(outcome, run, ranks))
}

/// What a person should know where a run goes on by another number of ranks than it began with.
fn other_ranks(state: &RunState, ranks: &Ranks) -> Option<String> {
    let (before, now) = (state.batches_a_step, ranks.count());
    let count = |count: usize| if count == 1 { "1 rank".to_owned() } else { format!("{count} ranks") };
    (before != now).then(|| {
        let (before, goes) = (count(before), if now == 1 { "goes" } else { "go" });
        format!(
            "the run began with {before}, and {} {goes} on with it: a step has as many images as before",
            count(now)
        )
    })
}

/// A spec that a run took up, with the plugins that it keeps.
pub fn kept(dir: &RunDir, number: usize) -> Result<Prepared, CommandError> {
    let name = dir.file(&specs::resolved_name(number));
    let mut prepared = Prepared::new(&name.display().to_string(), &fs::read_to_string(&name)?, dir.path(), &[])?;
    let text = fs::read_to_string(dir.file(&specs::name(number)))?;
    if let Some(written) = as_written(dir, &text) {
        prepared.written = written;
    }
    prepared.loaded.text = text;
    Ok(prepared)
}

/// What the text of a spec means where it stood.
fn as_written(dir: &RunDir, text: &str) -> Option<Pipeline> {
    let origin = Origin::read(dir)?;
    let folder = origin.spec.parent()?;
    let loaded = load_text(&origin.spec.display().to_string(), text, folder, &Override::all(&origin.sets)).ok()?;
    Some(resolved::absolute(&loaded.pipeline, folder))
}

/// The run that `runner SPEC --resume` goes on with: that in `given`, or else the latest of this name that is
/// not finished.
pub fn unfinished(name: &str, given: Option<&Path>) -> Option<PathBuf> {
    if let Some(given) = given {
        return Some(given.to_owned()).filter(|path| is_run(path));
    }
    let runs = fs::read_dir(Path::new("runs").join(name)).ok()?;
    let mut runs: Vec<PathBuf> = runs.flatten().map(|entry| entry.path()).filter(|path| is_run(path)).collect();
    // They are named by date and time.
    runs.sort();
    runs.into_iter().rfind(|path| !is_finished(&RunDir::open(path)))
}

/// Whether the run's last event is its end.
fn is_finished(dir: &RunDir) -> bool {
    let events = fs::read_to_string(dir.file("events.jsonl")).unwrap_or_default();
    let last = events.lines().next_back().and_then(|line| serde_json::from_str::<Value>(line).ok());
    last.is_some_and(|event| event["event"] == "run_finished")
}
