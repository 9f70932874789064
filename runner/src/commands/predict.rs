//! `runner predict RUN IMAGE...`.

use super::CommandError;
use super::on_device::on_device;
use super::trained::Trained;
use crate::augment::{Pixels, Prepare, Views};
use crate::data::{Batch, decode};
use crate::engine::device::DeviceTask;
use crate::engine::{KernelSet, Kernels};
use crate::metrics::{Answers, largest};
use crate::train::evaluate::logits;
use clap::Args;
use indexmap::IndexMap;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `runner predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// A run directory.
    run: PathBuf,
    /// Image files.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// For programs: one JSON object an image, a line each, with the probability of every class.
    #[arg(long)]
    json: bool,
}

/// What an image is taken for.
#[derive(Debug, Serialize)]
struct Prediction {
    image: String,
    label: String,
    probability: f32,
    probabilities: IndexMap<String, f32>,
}

/// Says what images are taken for.
pub fn run(args: &PredictArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let trained = Trained::open(&args.run)?;
    trained.refuse_files()?;
    if trained.reconstructs() {
        let problem = "is an autoencoder, which says nothing of classes";
        let advice = format!("`runner evaluate {} --data FOLDER` says how far its images are off", args.run.display());
        return Err(CommandError::RunDir(format!("{} {problem}: {advice}", args.run.display())));
    }
    let spec = trained.spec.clone();
    let predictions = on_device(&spec, Predict { trained, images: &args.images })??;
    let width = predictions.iter().map(|prediction| prediction.image.chars().count()).max().unwrap_or(0);
    for prediction in predictions {
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&prediction).map_err(std::io::Error::other)?)?;
        } else {
            let Prediction { image, label, probability, .. } = prediction;
            writeln!(out, "{image:width$}  {probability:.4}  {label}")?;
        }
    }
    Ok(())
}

struct Predict<'a> {
    trained: Trained,
    images: &'a [PathBuf],
}

impl DeviceTask for Predict<'_> {
    type Output = Result<Vec<Prediction>, CommandError>;

    fn run<D: Kernels>(mut self, device: D) -> Self::Output {
        let net = self.trained.net(&device)?;
        let classes = self.trained.about.classes.clone();
        let mut predictions = Vec::new();
        for path in self.images {
            let image = path.display().to_string();
            let answers = self.views(path, &image)?.into_iter().map(|batch| {
                let mut answers = Answers::new(classes.len());
                answers.push(&batch.labels, &logits(&device, &net, &batch, KernelSet::default())?);
                Ok(answers)
            });
            let answers: Vec<Answers> = answers.collect::<Result<_, CommandError>>()?;
            let probabilities = Answers::mean(&answers).probabilities;
            let best = largest(&probabilities);
            predictions.push(Prediction {
                image,
                label: classes[best].clone(),
                probability: probabilities[best],
                probabilities: classes.iter().cloned().zip(probabilities).collect(),
            });
        }
        Ok(predictions)
    }
}

impl Predict<'_> {
    /// A batch of one image a view, prepared as for testing.
    fn views(&self, path: &PathBuf, name: &str) -> Result<Vec<Batch>, CommandError> {
        let bytes = std::fs::read(path).map_err(|error| CommandError::Arguments(format!("{name}: {error}")))?;
        let pixels = decode::decode(name, &bytes)?;
        let spec = &self.trained.spec;
        let prepare = |entries| Prepare::new(spec.data.image.clone(), &self.trained.normalize, entries);
        let plain = prepare(Vec::new());
        let mut batches = vec![batch(&plain, &plain.evaluation(pixels.clone()))];
        if let Some(test) = &spec.augmentation.test {
            // Whatever else is asked for, an image is looked at alike.
            let varied = prepare(test.entries.clone());
            let view = |view| varied.training(pixels.clone(), Views::EPOCH, Views::key(spec.seed, 0, view));
            batches.extend((1..test.views).map(|number| batch(&plain, &view(number))));
        }
        Ok(batches)
    }
}

/// A batch of one image.
fn batch(prepare: &Prepare, image: &Pixels) -> Batch {
    let mut images = Vec::new();
    prepare.normalize(image, &mut images);
    let [height, width, channels] = prepare.dims();
    Batch {
        images,
        dims: [1, height, width, channels],
        labels: vec![0],
        targets: Vec::new(),
        samples: vec![0],
        features: None,
    }
}
