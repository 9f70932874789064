//! `runner augment SPEC --out FILE.png`: what the net will see, for a person to look at.

use super::{CommandError, SpecArgs};
use crate::atomic;
use crate::augment::{Augment, BatchAugment, BatchValues, Pixels, Prepare, apply_all_to_batch};
use crate::data::{self, Dataset};
use crate::plan::Normalization;
use crate::random::{Key, Purpose};
use crate::report::sheet::{self, Row};
use crate::spec::{self, Channels, Override, Pipeline};
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
    let loaded = spec::load(&args.spec.spec, &Override::all(&args.spec.sets))?;
    let problems = spec::check(&loaded.pipeline);
    if !problems.0.is_empty() {
        return Err(loaded.error(&problems).into());
    }
    let spec = &loaded.pipeline;
    if let Channels::Many(count) = spec.data.image.channels {
        let message = format!("images of {count} channels cannot be drawn: a PNG has one or three");
        return Err(CommandError::Arguments(message));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Loader;
    use std::path::Path;

    /// The docs' sheet of everything, from the folder of the book.
    fn every() -> spec::Loaded {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/guide/augmentations.yaml");
        spec::load(&path, &[Override("data.image.normalize=unit".to_owned())]).unwrap()
    }

    #[test]
    fn the_sheet_in_the_docs_has_every_augmentation() {
        use crate::spec::named::Named;
        let augmentation = every().pipeline.augmentation;
        assert_eq!(augmentation.train.iter().map(Augment::name).collect::<Vec<_>>(), Augment::NAMES);
        let batch: Vec<_> = augmentation.batch.iter().map(BatchAugment::name).collect();
        assert_eq!(batch, BatchAugment::NAMES[..2], "the combinators are shown once");
        assert!(spec::check(&every().pipeline).0.is_empty());
    }

    #[test]
    fn what_is_shown_is_what_training_gets() {
        let mut loaded = every();
        let spec = &mut loaded.pipeline;
        spec.augmentation.batch.clear();
        let data = data::open(&spec.data, &loaded.dir, spec.seed).unwrap();
        let normalize = Normalization::resolve(&spec.data.image, None);
        let (image, augmentation) = (spec.data.image.clone(), spec.augmentation.clone());
        let loader = Loader::new(data.clone(), image, &normalize, augmentation, spec.seed, 2);
        let shown = Shown { spec, data: &data, epochs: 3 };
        let places = &data.train[..4];
        let rows: Vec<Row> = places.iter().map(|&place| shown.whole(place).unwrap()).collect();
        let bytes = |images: &[f32]| images.iter().map(|value| (value * 255.0).round() as u8).collect::<Vec<_>>();
        for epoch in 1..=3 {
            let batch = loader.training(places, 4, epoch).next().unwrap().unwrap();
            let pictures: Vec<u8> = rows.iter().flat_map(|row| row.pictures[epoch as usize].bytes.clone()).collect();
            assert_eq!(pictures, bytes(&batch.images), "epoch {epoch}");
        }
        let originals: Vec<u8> = rows.iter().flat_map(|row| row.pictures[0].bytes.clone()).collect();
        assert_eq!(originals, bytes(&loader.evaluation(places, 4).next().unwrap().unwrap().images));
    }

    #[test]
    fn batches_are_shown_and_arguments_told() {
        let loaded = every();
        let data = data::open(&loaded.pipeline.data, &loaded.dir, 0).unwrap();
        let shown = Shown { spec: &loaded.pipeline, data: &data, epochs: 5 };
        for entry in &loaded.pipeline.augmentation.batch {
            let row = shown.batch_entry(entry, &data.train).unwrap();
            assert_eq!((row.pictures.len(), row.about.as_str()), (6, "(batch) alpha: 1, p: 1"));
            let differ = row.pictures[1..].iter().filter(|picture| **picture != row.pictures[0]).count();
            assert!(differ >= 2, "{}: {differ} of 5", row.name);
        }
        let told: Vec<String> = loaded.pipeline.augmentation.train.iter().map(arguments).collect();
        assert!(told.contains(&"degrees: 30, fill: black".to_owned()), "{told:?}");
        assert!(told.contains(&"[invert: 1, rotate90, grayscale: 1]".to_owned()), "{told:?}");
    }
}
