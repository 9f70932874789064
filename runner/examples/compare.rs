//! Runs the pipelines of `pipelines/compare/` and prints the table that the docs have: accuracy, time
//! and peak memory of each.
//!
//! `cargo run --release --example compare -- target/release/runner` runs all five once;
//! `-- target/release/runner svm_on_codes linear_probe` only these; `--seeds 7,8` once with each seed.
//! The runs follow one another, so that none takes cores from another. Peak memory and the time of all
//! cores together are read from `/proc` while a run goes on: on systems without it these columns are
//! empty. Where other programs run beside it, the time of the cores says more than that of the clock.

use serde_json::Value;
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The pipelines, from the least that trains to the most.
const PIPELINES: [&str; 5] = ["svm_on_codes", "linear_probe", "gradual_unfreezing", "full_fine_tuning", "from_scratch"];

const USAGE: &str = "usage: compare RUNNER [--seeds SEED,SEED...] [PIPELINE...]";

/// How often a run's memory is looked at. Its peak only grows, so what is missed is what grew after the
/// last look.
const LOOK: Duration = Duration::from_millis(20);

struct Row {
    data: String,
    trained: u64,
    scores: [f64; 3],
    seconds: f64,
    used: Used,
}

/// What a run has used so far.
#[derive(Clone, Copy, Default)]
struct Used {
    /// Seconds of all cores together.
    cores: Option<f64>,
    /// Bytes of memory, at most.
    memory: Option<u64>,
}

struct Arguments {
    runner: String,
    seeds: Vec<Option<u64>>,
    pipelines: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = read(std::env::args().skip(1))?;
    let mut data: Option<String> = None;
    println!(
        "| pipeline | trainable values | test accuracy | balanced | AUC | time | of all cores | peak memory |\n\
         |---|---|---|---|---|---|---|---|"
    );
    for pipeline in &arguments.pipelines {
        for seed in &arguments.seeds {
            let row = run(&arguments.runner, pipeline, *seed)?;
            let name = seed.map_or_else(|| pipeline.clone(), |seed| format!("{pipeline}, seed {seed}"));
            let [accuracy, balanced, auc] = row.scores.map(|score| format!("{score:.4}"));
            let memory = row.used.memory.map_or_else(|| "–".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
            let cores = row.used.cores.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.0} s"));
            println!(
                "| {name} | {} | {accuracy} | {balanced} | {auc} | {:.0} s | {cores} | {memory} |",
                row.trained, row.seconds
            );
            match &data {
                Some(first) if *first != row.data => {
                    return Err(format!("{pipeline} had other data: {}", row.data).into());
                }
                _ => data = Some(row.data),
            }
        }
    }
    println!("\non {}", data.unwrap_or_default());
    Ok(())
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, Box<dyn Error>> {
    let runner = arguments.next().ok_or(USAGE)?;
    let (mut seeds, mut pipelines) = (vec![None], Vec::new());
    while let Some(argument) = arguments.next() {
        if argument == "--seeds" {
            let list = arguments.next().ok_or(USAGE)?;
            seeds = list.split(',').map(|seed| seed.parse().map(Some)).collect::<Result<_, _>>()?;
        } else if PIPELINES.contains(&argument.as_str()) {
            pipelines.push(argument);
        } else {
            return Err(
                format!("there is no pipeline `{argument}`; there are {}\n{USAGE}", PIPELINES.join(", ")).into()
            );
        }
    }
    if pipelines.is_empty() {
        pipelines = PIPELINES.map(str::to_owned).to_vec();
    }
    Ok(Arguments { runner, seeds, pipelines })
}

/// Runs a pipeline once.
fn run(runner: &str, pipeline: &str, seed: Option<u64>) -> Result<Row, Box<dyn Error>> {
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/compare").join(pipeline).with_extension("yaml");
    let dir = tempfile::tempdir()?;
    let run_dir = dir.path().join("run");
    let mut command = Command::new(runner);
    command.arg(spec).arg("--run-dir").arg(&run_dir);
    if let Some(seed) = seed {
        command.args(["--set", &format!("seed={seed}")]);
    }
    let log = dir.path().join("log");
    let begun = Instant::now();
    let mut child = command.stdout(File::create(&log)?).stderr(File::options().append(true).open(&log)?).spawn()?;
    let (success, used) = watch(&mut child)?;
    let seconds = begun.elapsed().as_secs_f64();
    if !success {
        return Err(format!("{pipeline}: {}", std::fs::read_to_string(log)?).into());
    }
    let events = events(&run_dir)?;
    let finished = events.last().ok_or("the run left no events")?;
    let score = |name: &str| finished["test"][name].as_f64().ok_or_else(|| format!("{pipeline}: no test {name}"));
    Ok(Row {
        data: finished["data"].as_str().unwrap_or_default().to_owned(),
        trained: trained(runner, pipeline)?,
        scores: [score("accuracy")?, score("balanced_accuracy")?, score("auc")?],
        seconds,
        used,
    })
}

/// Waits for a run; says whether it succeeded, and what it used.
fn watch(child: &mut Child) -> Result<(bool, Used), Box<dyn Error>> {
    let of_child = PathBuf::from(format!("/proc/{}", child.id()));
    let mut used = Used::default();
    loop {
        let now = look(&of_child);
        used = Used { cores: now.cores.or(used.cores), memory: used.memory.max(now.memory) };
        if let Some(status) = child.try_wait()? {
            return Ok((status.success(), used));
        }
        std::thread::sleep(LOOK);
    }
}

/// What the system says of a process, from its folder in `/proc`.
fn look(process: &Path) -> Used {
    let read = |name: &str| std::fs::read_to_string(process.join(name)).unwrap_or_default();
    let status = read("status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let memory = peak.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    // After the name, which is in brackets and may hold anything: time in the program and in the system
    // are the 12th and 13th values, in hundredths of a second.
    let stat = read("stat");
    let values: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let ticks = |place: usize| values.get(place)?.parse::<f64>().ok();
    let cores = ticks(11).zip(ticks(12)).map(|(program, system)| (program + system) / 100.0);
    Used { cores, memory: memory.map(|kibibytes| kibibytes << 10) }
}

fn events(run_dir: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    let text = std::fs::read_to_string(run_dir.join("events.jsonl"))?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// The values that train at some time of a run, as its plan has them.
fn trained(runner: &str, pipeline: &str) -> Result<u64, Box<dyn Error>> {
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/compare").join(pipeline).with_extension("yaml");
    let output = Command::new(runner).arg("plan").arg(spec).arg("--json").output()?;
    let plan: Value = serde_json::from_slice(&output.stdout)?;
    let phases = plan["phases"].as_array().into_iter().flatten().filter_map(|phase| phase["trainable"].as_u64());
    Ok(phases.chain(plan["fitted"]["parameters"].as_u64()).max().unwrap_or(0))
}
