//! The commands around training.

use crate::support::{Place, SMALL, folder_spec, jpeg, two_colours};
use predicates::str::{contains, is_match};
use serde_json::Value;

fn json(output: &[u8]) -> Value {
    serde_json::from_slice(output).unwrap()
}

#[test]
fn a_trained_net_evaluates_and_predicts() {
    let place = Place::new();
    two_colours(&place, "images", 40);
    two_colours(&place, "others", 5);
    place.train(&folder_spec("images"), "run", &["--set", "schedule.phases.0.epochs=6"]);

    // The test split again: the same scores as at the end of the run.
    let output = place.runner(&["evaluate", "run", "--json"]).assert().success();
    let again = json(&output.get_output().stdout);
    let finished = place.events("run").pop().unwrap();
    assert_eq!(again["scores"], finished["test"]);

    let output = place.runner(&["evaluate", "run", "--data", "others", "--json"]).assert().success();
    let others = json(&output.get_output().stdout);
    assert_eq!(others["images"], 10);
    assert!(others["scores"]["accuracy"].as_f64().unwrap() > 0.9, "{others}");

    place.write("one.jpg", jpeg(185, 30, 20, 3));
    let output = place.runner(&["predict", "run", "one.jpg", "others/blue/0.jpg", "--json"]).assert().success();
    let lines: Vec<Value> =
        output.get_output().stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(json).collect();
    assert_eq!(lines[0]["label"], "red");
    assert_eq!(lines[1]["label"], "blue");
    let sum: f64 = lines[0]["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5);
    place
        .runner(&["predict", "run", "one.jpg"])
        .assert()
        .success()
        .stdout(is_match(r"^one\.jpg  [01]\.\d{4}  red\n$").unwrap());
}

#[test]
fn classes_that_a_run_does_not_know_are_named() {
    let place = Place::new();
    two_colours(&place, "images", 20);
    place.train(&folder_spec("images"), "run", &["--set", "schedule.phases.0.epochs=1"]);
    place.write("others/green/1.jpg", jpeg(1, 200, 3, 0));
    place
        .runner(&["evaluate", "run", "--data", "others"])
        .assert()
        .code(1)
        .stderr(contains("the class `green`"))
        .stderr(contains("blue, red"));
}

#[test]
fn what_is_no_run_is_said_to_be_none() {
    let place = Place::new();
    place.runner(&["evaluate", "."]).assert().code(1).stderr(contains("no run directory"));
    place.runner(&["predict", "nowhere", "x.jpg"]).assert().code(1).stderr(contains("no run directory"));
}

#[test]
fn datasets_are_listed() {
    let place = Place::new();
    place.runner(&["datasets"]).assert().success().stdout(contains("blood_cells")).stdout(contains("MIT"));
}

#[test]
fn schema_is_json() {
    let place = Place::new();
    let output = place.runner(&["schema"]).assert().success();
    assert_eq!(json(&output.get_output().stdout)["title"], "runner pipeline");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        place.runner(&["completions", shell]).assert().success().stdout(contains("evaluate"));
    }
}

#[test]
fn help_reads_well() {
    let place = Place::new();
    let output = place.runner(&["--help"]).env("COLUMNS", "100").assert().success();
    insta::assert_snapshot!(String::from_utf8_lossy(&output.get_output().stdout));
    place.runner(&[]).assert().code(2);
    place.runner(&["nowhere.yaml"]).assert().code(2).stderr(contains("nowhere.yaml"));
}

#[test]
fn check_and_plan_do_not_train() {
    let place = Place::new();
    place.write("spec.yaml", SMALL);
    place.runner(&["check", "spec.yaml"]).assert().success();
    place.runner(&["plan", "spec.yaml"]).assert().success().stdout(contains("all")).stdout(contains("head"));
    let output = place.runner(&["plan", "spec.yaml", "--json"]).assert().success();
    assert_eq!(json(&output.get_output().stdout)["phases"].as_array().unwrap().len(), 2);
    assert!(!place.path().join("runs").exists());
}

#[test]
fn a_pipe_that_closes_early_is_no_crash() {
    let place = Place::new();
    let script = format!("{} schema | head -c 10", env!("CARGO_BIN_EXE_runner"));
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(place.path()).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
}

/// Without MPI the processes that mpirun starts would each do the whole run.
#[cfg(not(feature = "mpi"))]
#[test]
fn one_of_several_processes_says_how_to_build_for_that() {
    let place = Place::new();
    place.write("spec.yaml", SMALL);
    let run = |rank: &str| {
        let mut command = place.runner(&["spec.yaml", "--run-dir", "run"]);
        command.env("OMPI_COMM_WORLD_SIZE", "2").env("OMPI_COMM_WORLD_RANK", rank);
        command.assert()
    };
    let expected = "error: mpirun has started 2 processes, and this runner is built without MPI, so that each would train for \
                    itself: build it with `--features mpi`, or start it without mpirun\n";
    run("0").code(2).stdout("").stderr(expected);
    // mpirun stops all as soon as one fails.
    run("1").success().stdout("").stderr("");
    assert!(!place.path().join("run").exists());
}
