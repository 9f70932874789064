//! Cross-validation: a net for each fold of `data.split.folds`.

use super::CommandError;
use super::run::{given_run_dir, one, open_data};
use crate::plan::Plan;
use crate::ranks::Ranks;
use crate::report::FoldScores;
use crate::spec::Loaded;
use crate::train::run::Outcome;
use crate::train::specs::Origin;
use crate::train::{RunDir, StopFlag};
use serde_json::Value;
use std::path::Path;

/// Trains a net for each fold, in `PATH/fold-1`, `PATH/fold-2`, ..., each a run directory of its own, and
/// reports mean and spread of their test scores, also in `PATH/folds.json`.
pub fn run(
    mut loaded: Loaded,
    folds: usize,
    path: &Path,
    stop: &StopFlag,
    origin: &Origin,
) -> Result<Outcome, CommandError> {
    let mut scores = FoldScores::default();
    for fold in 1..=folds {
        println!("{}", console::style(format!("fold {fold} of {folds}")).bold());
        loaded.pipeline.data.split.fold = Some(fold);
        let plan = Plan::new(&loaded.pipeline, &loaded.dir).map_err(|problems| loaded.error(&problems))?;
        let (data, bad) = open_data(&plan, &loaded.dir, &Ranks::alone())?;
        let dir = given_run_dir(path.join(format!("fold-{fold}")))?;
        let mut origin = origin.clone();
        origin.sets.push(format!("data.split.fold={fold}"));
        // The folds are comparable only if all go by one spec.
        if one(&loaded, plan, data, bad, &dir, stop.clone(), (&origin, None), &Ranks::alone())? == Outcome::Interrupted
        {
            return Ok(Outcome::Interrupted);
        }
        scores.push(test_scores(&dir)?);
        println!();
    }
    RunDir::open(path).write("folds.json", format!("{:#}\n", scores.json()).as_bytes())?;
    print!("{scores}");
    Ok(Outcome::Finished)
}

/// What a run's test came to, as its `metrics.json` has it.
fn test_scores(dir: &RunDir) -> Result<Value, CommandError> {
    let metrics: Value =
        serde_json::from_slice(&std::fs::read(dir.file("metrics.json"))?).map_err(std::io::Error::other)?;
    Ok(metrics["test"].clone())
}
