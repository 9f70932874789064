//! `runner evaluate RUN`.

use super::CommandError;
use super::on_device::on_device;
use super::trained::Trained;
use crate::data::cache::Leads;
use crate::data::check::{self, Known};
use crate::data::{self, Dataset, Loader};
use crate::engine::Kernels;
use crate::engine::device::DeviceTask;
use crate::metrics::Confusion;
use crate::ranks::Ranks;
use crate::report::scores;
use crate::spec::Pipeline;
use crate::train::evaluate::{Evaluation, evaluate_views};
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `runner evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// A run directory.
    run: PathBuf,
    /// Evaluate on this folder (a folder of images a class) rather than on the run's test split.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// Evaluates the best weights of a run.
pub fn run(args: &EvaluateArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let trained = Trained::open(&args.run)?;
    let classes = trained.about.classes.clone();
    let (data, samples) = match &args.data {
        Some(folder) => folder_of(&trained, folder)?,
        None => test_split(&trained)?,
    };
    let reconstructs = trained.reconstructs();
    let description = data.facts.description.clone();
    let spec = trained.spec.clone();
    let evaluation = on_device(&spec, Evaluate { trained, data, samples })??;
    if reconstructs {
        return told(&evaluation, &description, args.json, out);
    }
    let confusion = Confusion::of(&evaluation.answers);
    if args.json {
        let mut json = serde_json::json!({
            "data": description,
            "images": evaluation.samples.len(),
            "classes": classes,
            "scores": evaluation.scores,
            "confusion": confusion,
        });
        if let Some(one_view) = &evaluation.one_view {
            json["scores_one_view"] = serde_json::json!(one_view);
        }
        writeln!(out, "{json:#}")?;
    } else {
        writeln!(out, "{} images of {description}", evaluation.samples.len())?;
        writeln!(out, "{}", scores::of_views(&evaluation.scores, evaluation.one_view.as_ref()))?;
        write!(
            out,
            "{}\n{}",
            scores::class_table(&classes, &confusion),
            scores::confusion_table(&classes, &confusion)
        )?;
    }
    Ok(())
}

/// What an autoencoder comes to.
fn told(evaluation: &Evaluation, data: &str, json: bool, out: &mut impl Write) -> Result<(), CommandError> {
    let images = evaluation.samples.len();
    if json {
        let json = serde_json::json!({ "data": data, "images": images, "scores": evaluation.scores });
        writeln!(out, "{json:#}")?;
    } else {
        writeln!(out, "{images} images of {data}\n  {}", scores::summary(&evaluation.scores))?;
    }
    Ok(())
}

/// The run's own test split, as it was.
fn test_split(trained: &Trained) -> Result<(Dataset, Vec<usize>), CommandError> {
    let data = data::open(&trained.spec.data, Path::new(""), trained.spec.seed)?;
    if !trained.reconstructs() && data.facts.classes != trained.about.classes {
        return Err(CommandError::RunDir(format!(
            "the data has other classes now ({}) than the run had ({})",
            data.facts.classes.join(", "),
            trained.about.classes.join(", ")
        )));
    }
    let data = without_bad(data, &trained.spec);
    let samples = data.test.clone();
    Ok((data, samples))
}

/// All images of a folder.
fn folder_of(trained: &Trained, folder: &Path) -> Result<(Dataset, Vec<usize>), CommandError> {
    trained.refuse_files()?;
    let data = if trained.reconstructs() {
        data::open::open_unlabelled(folder)?
    } else {
        data::open::open_for_test(folder, &trained.about.classes)?
    };
    let data = without_bad(data, &trained.spec);
    let samples = data.test.clone();
    Ok((data, samples))
}

fn without_bad(data: Dataset, spec: &Pipeline) -> Dataset {
    let data = data.kept(spec);
    let leads = Leads::new(&spec.data.image, &spec.augmentation.for_test());
    let bad = check::scan(&data, spec.data.workers(), &leads, &Known::nothing());
    for image in &bad {
        eprintln!("{} {image}", console::style("left out:").for_stderr().yellow());
    }
    data.without(&bad)
}

struct Evaluate {
    trained: Trained,
    data: Dataset,
    samples: Vec<usize>,
}

impl DeviceTask for Evaluate {
    type Output = Result<Evaluation, CommandError>;

    fn run<D: Kernels>(mut self, device: D) -> Self::Output {
        let net = self.trained.net(&device)?;
        let spec = &self.trained.spec;
        let image = spec.data.image.clone();
        let loader = Loader::new(
            self.data,
            image,
            &self.trained.normalize,
            spec.augmentation.for_test(),
            spec.seed,
            spec.data.workers(),
        );
        let (views, batch) = (spec.augmentation.test_views(), spec.data.batch.min(self.trained.piece));
        Ok(evaluate_views(
            &device,
            &net,
            &Ranks::alone(),
            views,
            |view| loader.view(&self.samples, batch, view),
            |_| (),
        )?)
    }
}
