//! The runs that there are: where a spec takes the weights of one.

use crate::spec::Checkpoint;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Where runs are kept that are given no directory: `runs/NAME/DATE-TIME-xxxx`.
const RUNS: &str = "runs";

/// The directory of the run that a spec names, and its checkpoint; or why there is none.
///
/// `named` is a run directory relative to `dir`, the folder of the spec, or the name of a pipeline:
/// then it is that pipeline's latest finished run below `runs/`, in the current folder or else beside
/// the spec.
///
/// # Errors
/// Where there is no such run, or it has no checkpoint yet: a sentence for a person.
pub fn find(named: &Path, dir: &Path, checkpoint: Checkpoint) -> Result<(PathBuf, PathBuf), String> {
    let here = dir.join(named);
    let run = if is_run(&here) {
        here
    } else {
        let below_runs = Path::new(RUNS).join(named);
        let places = [here, below_runs.clone(), dir.join(below_runs)];
        let finished = places.iter().find_map(|place| latest_finished(place));
        finished.ok_or_else(|| none(named, &places))?
    };
    let file = run.join(checkpoint.file());
    if file.is_file() {
        Ok((run, file))
    } else {
        Err(format!("the run {} has no {}", run.display(), checkpoint.file()))
    }
}

fn none(named: &Path, places: &[PathBuf]) -> String {
    let unfinished = places.iter().any(|place| runs_in(place).next().is_some());
    let name = named.display();
    if unfinished {
        format!("no run of `{name}` has finished")
    } else {
        format!(
            "there is no run `{name}`: neither a run directory {}, nor one below {RUNS}/{name}",
            places[0].display()
        )
    }
}

/// Whether a folder is a run directory.
pub fn is_run(folder: &Path) -> bool {
    folder.join("resolved.yaml").is_file()
}

fn runs_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_run(path))
}

/// The run below a folder that finished last; the last by name of those that finished at once.
fn latest_finished(folder: &Path) -> Option<PathBuf> {
    runs_in(folder).filter_map(|run| Some((finished(&run)?, run))).max().map(|(_, run)| run)
}

/// When a run finished, if it has.
fn finished(run: &Path) -> Option<jiff::Timestamp> {
    let events = std::fs::read_to_string(run.join("events.jsonl")).ok()?;
    let events = events.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let event = events.into_iter().find(|event| event["event"] == "run_finished")?;
    event["time"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn run(place: &Path, name: &str, events: &str) -> PathBuf {
        let run = place.join(name);
        fs::create_dir_all(run.join("checkpoints")).unwrap();
        for file in ["resolved.yaml", "checkpoints/best.safetensors"] {
            fs::write(run.join(file), "").unwrap();
        }
        fs::write(run.join("events.jsonl"), events).unwrap();
        run
    }

    fn done(time: &str) -> String {
        format!("{{\"event\":\"run_started\"}}\n{{\"event\":\"run_finished\",\"time\":\"{time}\"}}\n")
    }

    #[test]
    fn a_name_means_the_latest_run_that_finished() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("runs/ae");
        run(&runs, "1", &done("2026-01-02T00:00:01Z"));
        let latest = run(&runs, "2", &done("2026-01-02T00:00:01.5Z"));
        run(&runs, "3", "{\"event\":\"run_started\"}\nhalf a li");
        fs::create_dir_all(runs.join("4")).unwrap();
        let find = |named: &str, checkpoint| find(Path::new(named), dir.path(), checkpoint);
        let best = latest.join("checkpoints/best.safetensors");
        assert_eq!(find("ae", Checkpoint::Best), Ok((latest.clone(), best.clone())));
        assert_eq!(find("runs/ae", Checkpoint::Best), Ok((latest, best)));
        // A directory is what is meant, whether it has finished or not.
        assert_eq!(find("runs/ae/3", Checkpoint::Best).unwrap().0, runs.join("3"));
        let none = find("runs/ae/3", Checkpoint::Last).unwrap_err();
        assert!(none.ends_with("has no checkpoints/last.safetensors"), "{none}");
        run(&dir.path().join("runs/other"), "1", "");
        assert_eq!(find("other", Checkpoint::Best).unwrap_err(), "no run of `other` has finished");
        assert!(find("nowhere", Checkpoint::Best).unwrap_err().starts_with("there is no run `nowhere`"));
    }
}
