//! Nonsense for specs: whatever a file says, reading and planning it ends, soon, in a plan or in errors.
//!
//! `FUZZ_CASES=1000000 cargo test -p runner --test fuzz` tries as many cases as one likes; `FUZZ_SEED` is
//! another row of them, `FUZZ_FROM` begins it later. A case that fails is written to `target/fuzz/`; once
//! it is mended it is kept in `tests/fuzz/found/`, or in `large.rs` where it is one line many times; both
//! are tried each time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod large;
mod mutate;

use mutate::Mutator;
use peak_alloc::PeakAlloc;
use runner::plan::Plan;
use runner::plan::course::course;
use runner::report::PlanReport;
use runner::spec::reload::RunningPhase;
use runner::spec::{self, Source, UnderWay};
use serde_yaml::Value;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What a case may take.
const LONGEST: Duration = Duration::from_secs(1);
const LARGEST: usize = 256 << 20;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The specs of a folder, and of the folders in it.
fn specs(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository(folder)).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(fs::read_to_string(path).unwrap());
        } else if path.is_dir() {
            found.extend(specs(&format!("{folder}/{}", path.file_name().unwrap().display())));
        }
    }
    found.sort();
    found
}

/// How far cases came: fuzzing that never gets past the first gate finds nothing.
static READ: AtomicU64 = AtomicU64::new(0);
static PLANNED: AtomicU64 = AtomicU64::new(0);

/// A run that a case may be a reload of: the last spec that was planned, and what it says.
static RUNNING: Mutex<Option<(Box<Plan>, Value)>> = Mutex::new(None);

/// Reads, checks and plans a text, and holds it against a run. Files and plugins that a case may name are
/// not opened.
fn try_one(text: &str) {
    let dir = repository("pipelines");
    let Ok(loaded) = spec::load_text("spec.yaml", text, &dir, &[]) else { return };
    READ.fetch_add(1, Ordering::Relaxed);
    let spec = &loaded.pipeline;
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let value = spec::to_value(spec).expect("what was read can be written");
    if let Some((_, before)) = running.as_ref() {
        compare(before, &value);
    }
    let generated = |source: &Source| matches!(source, Source::Synthetic(_) | Source::Dataset(_));
    let sources = [Some(&spec.data.source), spec.data.fallback.as_ref()];
    if !spec.plugins.is_empty() || !sources.into_iter().flatten().all(generated) {
        drop(spec::check(spec));
        return;
    }
    match Plan::new(spec, &dir) {
        Ok(plan) => {
            PLANNED.fetch_add(1, Ordering::Relaxed);
            assert!(!PlanReport::of(&plan).to_string().is_empty());
            if let Some((before, _)) = running.as_ref() {
                drop(course(&half_done(before), before.as_ref().into(), (&plan).into()));
            }
            *running = Some((Box::new(plan), value));
        }
        // That the errors can be shown is a part of it.
        Err(problems) => assert!(!loaded.error(&problems).to_string().is_empty()),
    }
}

/// Compares two specs, as when one is saved while the other runs.
fn compare(before: &Value, after: &Value) {
    let changes = spec::diff(before, after);
    assert_eq!(changes.is_empty(), before == after);
    assert_eq!(spec::diff::text(&changes).lines().count(), changes.len());
    let run = UnderWay::default();
    assert!(changes.iter().all(|change| !run.class_of(change).words().is_empty()));
}

/// A run in the second half of the phases of a plan.
fn half_done(plan: &Plan) -> UnderWay {
    let names: Vec<String> = plan.phases.iter().map(|phase| phase.name.clone()).collect();
    let (done, to_come) = names.split_at(names.len() / 2);
    UnderWay {
        done: done.to_vec(),
        running: to_come.first().map(|name| RunningPhase { name: name.clone(), epochs: 1 }),
    }
}

/// A moment, and the time that this thread had computed until then, where the system tells.
struct Clock(Instant, Option<Duration>);

impl Clock {
    fn now() -> Self {
        let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
        let computed = told.and_then(|told| told.split(' ').next()?.parse().ok()).map(Duration::from_nanos);
        Clock(Instant::now(), computed)
    }

    /// What has been computed since; where the system does not tell, the time that it took.
    fn elapsed(&self) -> Duration {
        let computed = Clock::now().1.zip(self.1).map(|(now, then)| now.saturating_sub(then));
        computed.unwrap_or_else(|| self.0.elapsed())
    }
}

/// What is wrong with a case, if anything. One that takes too long is tried again: the machine may have
/// been busy with something else.
fn fault(text: &str) -> Option<String> {
    let mut slow = None;
    for _ in 0..3 {
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let begun = Clock::now();
        let went = catch_unwind(AssertUnwindSafe(|| try_one(text)));
        let (took, most) = (begun.elapsed(), ALLOCATOR.peak_usage().saturating_sub(before));
        if went.is_err() {
            return Some("it panicked".to_owned());
        }
        if most > LARGEST {
            return Some(format!("it held {} MB", most >> 20));
        }
        if took <= LONGEST {
            return None;
        }
        slow = Some(format!("it took {took:?}"));
    }
    slow
}

fn keep(text: &str, number: u64) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../fuzz");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("case-{number}.yaml"));
    fs::write(&path, text).unwrap();
    path
}

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |number| number.parse().expect("a number"))
}

/// The case that is being tried: its number, and its text for when it never ends.
static NUMBER: AtomicU64 = AtomicU64::new(0);
static TEXT: Mutex<String> = Mutex::new(String::new());

/// Ends the program when a case does not: it could not be told otherwise.
fn watch_for_hangs() {
    std::thread::spawn(|| {
        loop {
            let before = NUMBER.load(Ordering::Relaxed);
            std::thread::sleep(20 * LONGEST);
            if NUMBER.load(Ordering::Relaxed) == before && before > 0 {
                let path = keep(&TEXT.lock().unwrap(), before);
                eprintln!("case {before} does not end: {}", path.display());
                std::process::abort();
            }
        }
    });
}

/// One test, as what is held is counted over the whole program.
#[test]
fn nonsense_is_refused_and_nothing_breaks() {
    let (own, found) = (specs("tests/fuzz/seeds"), specs("tests/fuzz/found"));
    for text in &own {
        let error = spec::load_text("spec.yaml", text, &repository("pipelines"), &[]).err();
        assert_eq!(error.map(|error| error.to_string()), None, "{text}");
    }
    let kept: Vec<String> = own
        .iter()
        .chain(&found)
        .chain(&large::specs())
        .filter_map(|text| Some(format!("{}:\n{}", fault(text)?, text.chars().take(1000).collect::<String>())))
        .collect();
    assert!(kept.is_empty(), "{}", kept.join("\n"));
    let others = ["pipelines", "runner/src/spec/testdata", "docs/src"].into_iter().flat_map(specs);
    let seeds: Vec<String> = own.into_iter().chain(others).chain(found).collect();
    let (cases, seed) = (number_from("FUZZ_CASES", 3000), number_from("FUZZ_SEED", 0));
    let mutator = Mutator::new(&seeds, seed);
    watch_for_hangs();
    std::panic::set_hook(Box::new(|_| ()));
    let mut faults = Vec::new();
    let first = number_from("FUZZ_FROM", 1);
    for number in first..first.saturating_add(cases) {
        let text = mutator.case(number);
        TEXT.lock().unwrap().clone_from(&text);
        NUMBER.store(number, Ordering::Relaxed);
        if let Some(fault) = fault(&text) {
            faults.push(format!("case {number}: {fault}: {}", keep(&text, number).display()));
        }
    }
    NUMBER.store(0, Ordering::Relaxed);
    drop(std::panic::take_hook());
    let (read, planned) = (READ.load(Ordering::Relaxed), PLANNED.load(Ordering::Relaxed));
    println!("{cases} cases: {read} read, {planned} planned, {} failed", faults.len());
    assert!(read > cases / 10 && planned > cases / 100, "of {cases} cases {read} were read, {planned} planned");
    assert!(faults.is_empty(), "{} of {cases} cases failed:\n{}", faults.len(), faults.join("\n"));
}
