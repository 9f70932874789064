//! The example plugins in C compile without a warning, against the header alone.

use std::path::{Path, PathBuf};
use std::process::Command;

fn compiles(name: &str) {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = plugins.join(name).join(format!("{name}.c"));
    if Command::new("cc").arg("--version").output().is_err() {
        eprintln!("skipped: there is no `cc` here");
        return;
    }
    let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.so"));
    let compiled = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC", "-O2", "-I"])
        .arg(plugins.join("abi"))
        .arg(source)
        .arg("-o")
        .arg(&library)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let bytes = std::fs::read(library).unwrap();
    assert!(bytes.windows(13).any(|word| word == b"runner_plugin"), "the symbol is exported");
}

#[test]
fn feature_clip_compiles_without_a_warning() {
    compiles("feature_clip");
}

#[test]
fn swish_compiles_without_a_warning() {
    compiles("swish");
}

#[test]
fn scale_shift_compiles_without_a_warning() {
    compiles("scale_shift");
}
