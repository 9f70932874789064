//! Epochs of image loading on request: `cargo bench -p runner --bench loading -- DIR 224 2 train off`.
//!
//! Arguments: a folder of images, pixels a side, threads, what is done with an image, and `data.cache` (`off`, or an
//! amount of memory). `decode` reads and decodes, `evaluate` brings to size and makes batches, `train` takes a
//! `random_resized_crop` and a `horizontal_flip` before. Loads as many epochs as each line of its input says and prints
//! images and seconds, so that it can run by turns with another program (`tests/peers/compare.py`).

use runner::data::cache::Leads;
use runner::data::check::{self, Known};
use runner::data::{Dataset, Loader, open};
use runner::plan::Normalization;
use runner::spec::{self, Pipeline};
use serde_json::json;
use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, stdin};
use std::path::Path;
use std::time::Instant;

#[global_allocator]
static MEMORY: runner::engine::KeptMemory = runner::engine::KeptMemory;

const USAGE: &str = "loading DIR SIZE WORKERS decode|evaluate|train off|MEMORY";
const BATCH: usize = 32;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    // `cargo bench` adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [folder, size, workers, mode, cache] => Loading::new(folder, size.parse()?, workers, mode, cache)?.serve(),
        // As a test of all targets runs it.
        [] => Ok(()),
        _ => Err(USAGE.into()),
    }
}

enum Mode {
    Decode,
    Evaluate,
    Train,
}

struct Loading {
    data: Dataset,
    spec: Pipeline,
    loader: Loader,
    order: Vec<usize>,
    mode: Mode,
    epoch: u64,
}

impl Loading {
    fn new(folder: &str, size: usize, workers: &str, mode: &str, cache: &str) -> Result<Self> {
        let text = format!(
            "name: loading\ndata: {{ source: {{ folder: {} }}, image: {{ size: {size} }}, workers: {workers}, \
             cache: {cache} }}\n\
             augmentation: {{ train: [random_resized_crop, horizontal_flip: 0.5] }}\nschedule: {{ phases: [] }}\n",
            json!(std::path::absolute(folder)?)
        );
        let spec = spec::load_text("loading.yaml", &text, Path::new("."), &[])?.pipeline;
        let data = open(&spec.data, Path::new("."), spec.seed)?.kept(&spec);
        let normalize = Normalization::resolve(&spec.data.image, None);
        let (image, augmentation) = (spec.data.image.clone(), spec.augmentation.clone());
        let loader = Loader::new(data.clone(), image, &normalize, augmentation, spec.seed, spec.data.workers());
        let order = (0..data.samples.samples.len()).collect();
        let mode = match mode {
            "decode" => Mode::Decode,
            "evaluate" => Mode::Evaluate,
            "train" => Mode::Train,
            _ => return Err(USAGE.into()),
        };
        Ok(Loading { data, spec, loader, order, mode, epoch: 0 })
    }

    fn serve(mut self) -> Result<()> {
        println!("{}", json!({ "images": self.order.len() }));
        for line in stdin().lock().lines() {
            let epochs: usize = line?.trim().parse()?;
            let started = Instant::now();
            for _ in 0..epochs {
                self.epoch()?;
            }
            let seconds = started.elapsed().as_secs_f64();
            println!(
                "{}",
                json!({ "seconds": seconds, "images": epochs * self.order.len(), "kept": self.data.cache.bytes() })
            );
        }
        Ok(())
    }

    fn epoch(&mut self) -> Result<()> {
        self.epoch += 1;
        let batches = match self.mode {
            Mode::Decode => {
                let leads = Leads::new(&self.spec.data.image, &self.spec.augmentation);
                let bad = check::scan(&self.data, self.spec.data.workers(), &leads, &Known::nothing());
                return bad.into_iter().next().map_or(Ok(()), |bad| Err(bad.into()));
            }
            Mode::Evaluate => self.loader.evaluation(&self.order, BATCH),
            Mode::Train => {
                let order = self.loader.shuffled(&self.order, self.epoch);
                self.loader.training(&order, BATCH, self.epoch)
            }
        };
        for batch in batches {
            black_box(batch?);
        }
        Ok(())
    }
}
