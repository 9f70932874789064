//! `runner replay RUN`.

use super::CommandError;
use super::on_device::on_own_device;
use super::resume::kept;
use super::run::{Train, exit_code, given_run_dir, locked, open_data, run_dir_of, stop_on_interrupt};
use crate::cache;
use crate::ranks::Ranks;
use crate::train::reload::Replayed;
use crate::train::reload::replayed::Past;
use crate::train::run::{Job, Outcome, workers};
use crate::train::specs::{self, FIRST, Origin};
use crate::train::{RunDir, TrainError};
use crate::weights::WeightFile;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Trains as a run was trained, and compares the weights. Exit code 1 where they differ.
pub fn run(run: &Path, run_dir: Option<PathBuf>, ranks: &Ranks) -> Result<ExitCode, CommandError> {
    let old = run_dir_of(run)?;
    let first = kept(&old, FIRST)?;
    let past = reloads(&old)?;
    as_many_as_before(&old, run, ranks)?;
    if ranks.is_first() {
        println!("replaying {} with {} reload{}", run.display(), past.len(), if past.len() == 1 { "" } else { "s" });
    }
    let path = run_dir.unwrap_or_else(|| beside(run));
    let made = ranks.is_first().then(|| given_run_dir(path.clone())).transpose()?;
    let dir = made.unwrap_or_else(|| RunDir::open(path));
    let _lock = locked(&dir, ranks)?;
    if ranks.is_first() {
        specs::begin(&dir, &first.loaded, &first.plan, Origin::read(&old).as_ref())?;
    }
    let (data, bad) = open_data(&first.plan, old.path(), ranks)?;
    let job = Job {
        data,
        bad,
        dir: &dir,
        features: cache::features(),
        stop: stop_on_interrupt(ranks),
        workers: workers(&first.plan.spec, ranks),
        ranks: ranks.clone(),
        batches_a_step: ranks.count(),
        follow: Box::new(Replayed::new(past)),
        written: first.written,
        number: FIRST,
        command: format!("runner replay {}", run.display()),
        plan: Arc::new(first.plan),
    };
    let outcome = on_own_device(&Arc::clone(&job.plan).spec, ranks, Train { job, from: None, pending: None })??;
    if outcome == Outcome::Interrupted || !ranks.is_first() {
        return Ok(exit_code(outcome, dir.path(), ranks));
    }
    compare(&old, &dir)
}

/// An error where the run was trained by another number of ranks: the bits are theirs.
fn as_many_as_before(old: &RunDir, run: &Path, ranks: &Ranks) -> Result<(), CommandError> {
    let events = fs::read_to_string(old.file("events.jsonl")).unwrap_or_default();
    let mut events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let began = events.find(|event| event["event"] == "run_started");
    let before = began.and_then(|event| event["ranks"]["count"].as_u64()).unwrap_or(1) as usize;
    if before == ranks.count() {
        return Ok(());
    }
    let how = if before == 1 { String::new() } else { format!("mpirun -n {before} ") };
    Err(CommandError::Arguments(format!(
        "the run was trained by {before} process{}: `{how}runner replay {}` comes to the same bits",
        if before == 1 { "" } else { "es" },
        run.display()
    )))
}

/// `RUN-replay`
fn beside(run: &Path) -> PathBuf {
    let mut name = run.file_name().unwrap_or_default().to_owned();
    name.push("-replay");
    run.with_file_name(name)
}

/// The specs that a run took up, and where it did.
fn reloads(dir: &RunDir) -> Result<Vec<Past>, CommandError> {
    let path = dir.file("events.jsonl");
    let events = fs::read_to_string(&path).map_err(TrainError::file(&path))?;
    let events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let applied = events.filter(|event| event["event"] == "reload_applied");
    applied
        .map(|event| {
            let number = event["number"].as_u64().unwrap_or_default() as usize;
            Ok(Past {
                step: event["step"].as_u64().unwrap_or_default(),
                stage: event["stage"].as_str().unwrap_or_default().to_owned(),
                prepared: Box::new(kept(dir, number)?),
            })
        })
        .collect()
}

/// Says whether two runs have the same weights.
fn compare(one: &RunDir, other: &RunDir) -> Result<ExitCode, CommandError> {
    let mut same = true;
    for (name, path) in [("last", one.last()), ("best", one.best())] {
        let again = other.file(&format!("checkpoints/{name}.safetensors"));
        if !path.is_file() && !again.is_file() {
            continue;
        }
        let differing = differing(&path, &again)?;
        match differing.as_slice() {
            [] => println!("{name} weights: the same to the last bit"),
            [first, ..] => {
                same = false;
                println!("{name} weights: {} tensors differ, the first is `{first}`", differing.len());
            }
        }
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The names of tensors that are not the same in two files.
fn differing(one: &Path, other: &Path) -> Result<Vec<String>, CommandError> {
    let (mut one, mut other) = (WeightFile::open(one)?, WeightFile::open(other)?);
    let names = |file: &WeightFile| file.tensors().map(|(name, ..)| name.to_owned()).collect::<Vec<String>>();
    let (mine, theirs) = (names(&one), names(&other));
    let mut differing: Vec<String> = theirs.iter().filter(|name| !mine.contains(name)).cloned().collect();
    for name in mine {
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<u32>>();
        let same = theirs.contains(&name) && bits(one.read(&name)?) == bits(other.read(&name)?);
        if !same {
            differing.push(name);
        }
    }
    Ok(differing)
}
