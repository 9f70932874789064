//! `runner augment SPEC --out FILE.png`: what the net will see, for a person to look at.

use super::{CommandError, SpecArgs};
use crate::atomic;
use crate::augment::{Augment, BatchAugment, BatchValues, Pixels, Prepare, apply_all_to_batch};
use crate::data::{self, Dataset};
use crate::plan::Normalization;
use crate::random::{Key, Purpose};
use crate::report::sheet::{self, Row};
use crate::spec::{self, Override, Pipeline};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `runner augment`.
#[derive(Debug, Args)]
pub struct AugmentArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// The picture to write.
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    /// How many training images to show with the whole list. 0 shows single entries only.
    #[arg(long, default_value_t = 4)]
    images: usize,
    /// How many training images to leave out before the first that is shown.
    #[arg(long, default_value_t = 0)]
    skip: usize,
    /// How many epochs to show of each.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=100))]
    epochs: u64,
}

/// Draws a sheet: originals in the first column, beside them what each epoch makes of them.
pub fn run(args: &AugmentArgs, out: &mut impl Write) -> Result<(), CommandError> {
    let overrides: Vec<Override> = args.spec.sets.iter().cloned().map(Override).collect();
    let loaded = spec::load(&args.spec.spec, &overrides)?;
    let problems = spec::check(&loaded.pipeline);
    if !problems.0.is_empty() {
        return Err(loaded.error(&problems).into());
    }
    let spec = &loaded.pipeline;
    let data = data::open(&spec.data, &loaded.dir, spec.seed)?;
    let shown = Shown { spec, data: &data, epochs: args.epochs };
    let places = data.train.get(args.skip..).unwrap_or_default();
    let Some(&first) = places.first() else {
        let message = format!("there are {} training images, so none is left to show", data.train.len());
        return Err(CommandError::Arguments(message));
    };
    let mut rows = Vec::new();
    for &place in places.iter().take(args.images) {
        rows.push(shown.whole(place)?);
    }
    for entry in &spec.augmentation.train {
        rows.push(shown.entry(entry, first)?);
    }
    for entry in &spec.augmentation.batch {
        rows.push(shown.batch_entry(entry, places)?);
    }
    let png = sheet::png(&sheet::draw(&rows))?;
    atomic::write(&args.out, |file| file.write_all(&png))?;
    let (images, epochs) = (args.images.min(places.len()), args.epochs);
    writeln!(out, "{}: {} rows, {images} images, epochs 1 to {epochs}", args.out.display(), rows.len())?;
    Ok(())
}

/// What is shown.
struct Shown<'a> {
    spec: &'a Pipeline,
    data: &'a Dataset,
    epochs: u64,
}

/// How many images a batch augmentation is shown with.
const BATCH: usize = 8;

impl Shown<'_> {
    fn prepare(&self, entries: &[Augment]) -> Prepare {
        let image = &self.spec.data.image;
        // Colours are shown as they are before they are normalized.
        Prepare::new(image.clone(), &Normalization::resolve(image, None), entries.to_vec())
    }

    fn read(&self, place: usize) -> Result<Pixels, CommandError> {
        Ok(self.data.images.read(&self.data.samples.samples[place])?)
    }

    /// An image as it is, and as a list of entries makes it in each epoch. It is drawn from the keys
    /// that training uses.
    fn pictures(&self, entries: &[Augment], place: usize) -> Result<Vec<Pixels>, CommandError> {
        let prepare = self.prepare(entries);
        let image = self.read(place)?;
        let mut pictures = vec![prepare.evaluation(image.clone())];
        for epoch in 1..=self.epochs {
            let key = Key::new(self.spec.seed, Purpose::Augment).with(epoch).with(place as u64);
            pictures.push(prepare.training(image.clone(), epoch, key));
        }
        Ok(pictures)
    }

    /// What the net gets of an image, batch augmentation aside.
    fn whole(&self, place: usize) -> Result<Row, CommandError> {
        let name = &self.data.samples.samples[place].name;
        let pictures = self.pictures(&self.spec.augmentation.train, place)?;
        Ok(Row { name: "train".to_owned(), about: name.clone(), pictures })
    }

    /// What one entry alone does.
    fn entry(&self, entry: &Augment, place: usize) -> Result<Row, CommandError> {
        let pictures = self.pictures(std::slice::from_ref(entry), place)?;
        Ok(Row { name: entry.name().to_owned(), about: arguments(entry), pictures })
    }

    /// What one entry does to the first image of a batch.
    fn batch_entry(&self, entry: &BatchAugment, places: &[usize]) -> Result<Row, CommandError> {
        let prepare = self.prepare(&[]);
        let mut batch =
            BatchValues { samples: 0, dims: prepare.dims(), classes: 0, images: Vec::new(), targets: Vec::new() };
        for &place in places.iter().take(BATCH) {
            batch.images.extend(prepare.evaluation(self.read(place)?).bytes.iter().map(|&byte| f32::from(byte)));
            batch.samples += 1;
        }
        let [height, width, channels] = batch.dims;
        let first = |batch: &BatchValues| {
            let bytes = batch.images.iter().take(batch.image_len()).map(|value| value.round() as u8).collect();
            Pixels { height, width, channels, bytes }
        };
        let mut pictures = vec![first(&batch)];
        for epoch in 1..=self.epochs {
            let mut batch = batch.clone();
            let key = Key::new(self.spec.seed, Purpose::AugmentBatch).with(epoch).with(0);
            apply_all_to_batch(std::slice::from_ref(entry), &mut batch, epoch, key);
            pictures.push(first(&batch));
        }
        Ok(Row { name: entry.name().to_owned(), about: format!("(batch) {}", arguments(entry)), pictures })
    }
}

/// An entry's arguments, near to how YAML has them.
fn arguments(entry: &impl Serialize) -> String {
    match serde_json::to_value(entry) {
        Ok(Value::Object(entry)) => entry.values().map(plain).collect(),
        _ => String::new(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Number(number) => number.as_f64().map_or(String::new(), |number| (number as f32).to_string()),
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Array(values) => format!("[{}]", values.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pair = |(key, value): (&String, &Value)| match plain(value) {
                value if value.is_empty() => key.clone(),
                value => format!("{key}: {value}"),
            };
            map.iter().map(pair).collect::<Vec<_>>().join(", ")
        }
    }
}
