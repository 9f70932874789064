//! `runner plugin new`, and the way from there to a trained net, as the book shows it.

use crate::plugin_support::has_cc;
use crate::support::{Place, repository};
use predicates::str::contains;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes a plugin within the repository's own folders, checks it, and trains the net that uses it.
fn works(name: &str, language: &str) {
    let place = Place::new();
    // Below a workspace that knows nothing of it.
    let parent = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = parent.path().join(name);
    let path = folder.to_str().unwrap();
    let output = place.runner(&["plugin", "new", name, "--lang", language, "--path", path]).assert().success();
    output.stdout(contains(format!("runner plugin check {path}\n")));
    let output = place.runner(&["plugin", "check", path]).assert().success();
    output.stdout(contains("2 examples")).stdout(contains("all checks passed"));

    let pipeline = folder.join("pipeline.yaml");
    let one = ["--set", "schedule.phases.0.epochs=1", "--run-dir", "run"];
    place.runner(&[&[pipeline.to_str().unwrap()], &one[..]].concat()).assert().success();
    let output = place.runner(&["inspect", "run/checkpoints/best.safetensors"]).assert().success();
    output.stdout(contains("layers.2.slope"));

    place.runner(&["plugin", "new", name, "--path", path]).assert().code(2).stderr(contains("is there already"));
}

#[test]
fn a_new_plugin_in_rust_passes_its_check_and_trains() {
    works("new_in_rust", "rust");
}

#[test]
fn a_new_plugin_in_c_passes_its_check_and_trains() {
    if has_cc() {
        works("new_in_c", "c");
    }
}

#[test]
fn a_new_plugin_in_c_compiles_without_a_warning() {
    if !has_cc() {
        return;
    }
    let place = Place::new();
    place.runner(&["plugin", "new", "strict", "--lang", "c"]).assert().success();
    let compiled = Command::new("cc")
        .args([
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-O2",
            "-shared",
            "-fPIC",
            "strict.c",
            "-o",
            "x",
        ])
        .current_dir(place.path().join("strict"))
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

#[test]
fn names_that_no_layer_can_have_are_refused() {
    let place = Place::new();
    for (name, said) in [
        ("My", "a layer cannot be called `My`"),
        ("relu", "the runner has a layer `relu` itself"),
        ("serde", "a plugin in Rust cannot be called `serde`"),
    ] {
        place.runner(&["plugin", "new", name]).assert().code(2).stderr(contains(said));
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

/// The commands that the book tells to run in order: `sh` blocks below a comment `<!-- run: GROUP -->`.
fn commands(group: &str) -> String {
    let page = fs::read_to_string(repository("docs/src/guide/plugins.md")).unwrap();
    let start = format!("<!-- run: {group} -->\n```sh\n");
    let blocks = page.split(&start).skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

/// Runs what the book says, with `runner` on the path.
fn as_written(group: &str, expected: &[&str]) {
    let commands = commands(group);
    assert_eq!(commands.lines().count(), expected.len(), "{commands}");
    let place = Place::new();
    let binaries = Path::new(env!("CARGO_BIN_EXE_runner")).parent().unwrap().to_owned();
    let others: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let path = std::env::join_paths([vec![binaries], others].concat()).unwrap();
    for (line, expected) in commands.lines().zip(expected) {
        let mut command = place.command("sh", &["-euc", line]);
        command.env("PATH", &path).assert().success().stdout(contains(*expected));
    }
}

#[test]
#[cfg(unix)]
fn the_way_in_rust_is_as_the_book_says() {
    as_written("rust", &["src/lib.rs", "A ReLU", "all checks passed", "done in"]);
}

#[test]
#[cfg(unix)]
fn the_way_in_c_is_as_the_book_says() {
    if has_cc() {
        as_written("c", &["my_layer.c", "A ReLU", "all checks passed", "done in"]);
    }
}
