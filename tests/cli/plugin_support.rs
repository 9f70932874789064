//! Plugins for tests, and specs that use them.

use crate::support::{Place, two_colours};
use runner::weights::WeightFile;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A gated sum of two inputs with a learned scale, in C.
pub const GATE: &str = include_str!("../plugins/gate.c");

/// A layer of one function, in C, of which tests change what they are about.
pub const POINTWISE: &str = include_str!("../plugins/pointwise.c");

/// A small net with the layer `plain` of [`POINTWISE`] in it, on a folder of images of two colours.
pub const PLAIN: &str = r#"name: plain
seed: 3
plugins: [plugin.c]
data:
  source: { folder: images }
  image: { size: 16 }
  batch: 16
layers:
  - conv2d: { out: 8, kernel: 3, stride: 2, padding: 1 }
  - plain
  - batch_norm
  - relu
head:
  - global_avg_pool
  - linear: { out: classes }
schedule:
  phases:
    - { name: all, epochs: 2, train: ["*"], lr: 1e-2 }
"#;

/// Whether there is a C compiler; says so where there is none.
pub fn has_cc() -> bool {
    let found = Command::new("cc").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: there is no `cc` here");
    }
    found
}

/// The same of `make`.
pub fn has_make() -> bool {
    let found = Command::new("make").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: there is no `make` here");
    }
    found && has_cc()
}

/// [`POINTWISE`] with pieces of its text replaced.
pub fn pointwise(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(POINTWISE.to_owned(), |source, (piece, by)| {
        assert_eq!(source.matches(piece).count(), 1, "{piece:?} is not in the source just once");
        source.replace(piece, by)
    })
}

/// A place with images, and a plugin in `plugin.c`.
pub fn place_with(plugin: &str) -> Place {
    let place = Place::new();
    two_colours(&place, "images", 40);
    place.write("plugin.c", plugin);
    place
}

/// The library of the Rust crate `tests/plugins/faulty`, built by the runner itself, once.
pub fn faulty_library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let place = Place::new();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/plugins/faulty");
        place.write("spec.yaml", on_generated(PLAIN).replace("  - plain\n", "").replace("plugin.c", folder));
        let output = place.runner(&["plan", "spec.yaml", "--json"]).assert().success();
        let plan: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
        let name = format!("{}.{}", plan["plugins"][0]["sha256"].as_str().unwrap(), std::env::consts::DLL_EXTENSION);
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
        fs::copy(place.path().join("cache/plugins").join(name), &kept).unwrap();
        kept
    })
}

/// The spec on generated images, which need no folder.
pub fn on_generated(spec: &str) -> String {
    spec.replace("{ folder: images }", "{ synthetic: blood_cells }")
}

/// The values of a tensor of a checkpoint.
pub fn values(place: &Place, checkpoint: &str, tensor: &str) -> Vec<f32> {
    WeightFile::open(&place.path().join(checkpoint)).unwrap().read(tensor).unwrap()
}

/// What a command prints on stderr, what is particular to this machine and time left out, and its
/// exit code.
pub fn complaint(place: &Place, args: &[&str]) -> (Option<i32>, String) {
    let output = place.runner(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), stderr.replace(&place.path().display().to_string(), "PLACE"))
}
