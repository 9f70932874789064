//! Measures what each means against overfitting does in `pipelines/sign_language.yaml`: trains it with
//! all of them, without each, and without any, and prints the table that the docs have.
//!
//! `cargo run --release --example measures -- target/release/runner 1 2` trains with the seeds 1 and 2:
//! fourteen runs, some twenty minutes on two cores.

use serde_json::Value;
use std::error::Error;
use std::path::Path;
use std::process::Command;

/// A row of the table: its name, and what it changes of the pipeline.
struct Row {
    name: &'static str,
    sets: &'static [&'static str],
}

const NO_POOLING: &[&str] = &[
    "layers.6={ max_pool: { size: 2 } }",
    "layers.10={ max_pool: { size: 2 } }",
    "layers.14={ max_pool: { size: 2 } }",
];
const NO_DROP_CONNECT: &[&str] = &["head.1={ linear: { out: 128 } }"];
const NO_L2: &[&str] = &["schedule.optimizer.sgd.weight_decay=0.0"];
/// At the pipeline's learning rate it diverges.
const NO_GLOBAL_POOL: &[&str] =
    &["head.0=flatten", "schedule.phases.0.lr=0.01", "schedule.phases.1.lr=0.002", "schedule.phases.2.lr=0.0004"];
const NO_AUGMENTATION: &[&str] = &["augmentation.train=[]"];

const ROWS: [Row; 6] = [
    Row { name: "all measures", sets: &[] },
    Row { name: "max pooling in place of stochastic pooling", sets: NO_POOLING },
    Row { name: "a linear layer in place of drop-connect", sets: NO_DROP_CONNECT },
    Row { name: "no weight decay (L2)", sets: NO_L2 },
    Row { name: "flatten in place of global average pooling, at a fifth of the learning rate", sets: NO_GLOBAL_POOL },
    Row { name: "no augmentation", sets: NO_AUGMENTATION },
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let runner = arguments.next().ok_or("usage: measures RUNNER SEED...")?;
    let seeds: Vec<u64> = arguments.map(|seed| seed.parse()).collect::<Result<_, _>>()?;
    if seeds.is_empty() {
        return Err("usage: measures RUNNER SEED...".into());
    }
    let none = [NO_POOLING, NO_DROP_CONNECT, NO_L2, NO_GLOBAL_POOL, NO_AUGMENTATION].concat();
    let rows = ROWS.iter().map(|row| (row.name, row.sets.to_vec())).chain([("none of them", none)]);
    println!("| measures | train error | validation error | test error |\n|---|---|---|---|");
    for (name, sets) in rows {
        let errors: Vec<[f64; 3]> = seeds.iter().map(|&seed| run(&runner, seed, &sets)).collect::<Result<_, _>>()?;
        let column = |place: usize| {
            let values: Vec<String> = errors.iter().map(|errors| format!("{:.3}", errors[place])).collect();
            values.join(", ")
        };
        println!("| {name} | {} | {} | {} |", column(0), column(1), column(2));
    }
    Ok(())
}

/// Trains once; gives the errors on the training images and the validation images in the last epoch,
/// and on the test images with the best weights.
fn run(runner: &str, seed: u64, sets: &[&str]) -> Result<[f64; 3], Box<dyn Error>> {
    let pipeline = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/sign_language.yaml");
    let dir = tempfile::tempdir()?;
    let run_dir = dir.path().join("run");
    let mut command = Command::new(runner);
    command.arg(pipeline).arg("--run-dir").arg(&run_dir).args(["--set", &format!("seed={seed}")]);
    for set in sets {
        command.args(["--set", set]);
    }
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = std::fs::read_to_string(run_dir.join("events.jsonl"))?;
    let events: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let last = |event: &str, pointer: &str| {
        let found = events.iter().rev().find(|found| found["event"] == event);
        found.and_then(|found| found.pointer(pointer)?.as_f64()).ok_or_else(|| format!("{event} lacks {pointer}"))
    };
    let train = last("epoch_finished", "/train_accuracy")?;
    let val = last("epoch_finished", "/val/accuracy")?;
    let test = last("run_finished", "/test/accuracy")?;
    Ok([train, val, test].map(|accuracy| 1.0 - accuracy))
}
