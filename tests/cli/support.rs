//! A place to run the binary in, without network, cache or data sets of the machine.

use assert_cmd::Command;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A small net on generated images, in two phases. Seconds to train.
pub const SMALL: &str = r#"
name: small
seed: 3
data:
  source: { synthetic: blood_cells }
  image: { size: 24 }
  batch: 64
layers:
  - conv2d: { out: 8, kernel: 3, stride: 2, padding: 1 }
  - batch_norm
  - relu
  - conv2d: { out: 16, kernel: 3, stride: 2, padding: 1 }
  - batch_norm
  - relu
head:
  - global_avg_pool
  - dropout: 0.1
  - linear: { out: classes }
augmentation:
  train:
    - horizontal_flip: 0.5
    - rotate: { degrees: 20 }
regularization:
  label_smoothing: 0.05
schedule:
  phases:
    - { name: all, epochs: 2, train: ["*"], lr: 1e-2 }
    - { name: head, epochs: 1, train: [head], lr: 1e-3 }
"#;

/// A folder of its own, in which the binary runs.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The binary, with nothing of the machine's data sets in sight.
    pub fn runner(&self, args: &[&str]) -> Command {
        self.command(env!("CARGO_BIN_EXE_runner"), args)
    }

    /// A program that may call the binary, in the same surroundings.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        isolate(&mut |key, value| match value {
            Some(value) => drop(command.env(key, value)),
            None => drop(command.env_remove(key)),
        });
        command.env("RUNNER_CACHE", self.path().join("cache")).current_dir(self.path()).args(args);
        // Where plugins that are crates are built: once for all tests, and from what is there.
        let builds = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../plugins");
        command.env("CARGO_TARGET_DIR", builds).env("CARGO_NET_OFFLINE", "true");
        command
    }

    /// Trains a spec into the folder `run`, and gives what is on stdout.
    pub fn train(&self, spec: &str, run: &str, more: &[&str]) -> String {
        self.write("spec.yaml", spec);
        let args: Vec<&str> = ["spec.yaml", "--run-dir", run].into_iter().chain(more.iter().copied()).collect();
        let output = self.runner(&args).assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap()
    }

    pub fn events(&self, run: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path().join(run).join("events.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The environment of a test: no data sets, no proxy, no colours.
fn isolate(set: &mut dyn FnMut(&str, Option<&str>)) {
    for key in ["RUNNER_DATA", "RUST_LOG", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        set(key, None);
    }
    set("NO_COLOR", Some("1"));
}

/// A folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The events of a kind.
pub fn of_kind<'a>(events: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["event"] == kind)
}

/// A JPEG of one colour with a little texture, so that it is an image like any other.
pub fn jpeg(red: u8, green: u8, blue: u8, seed: u8) -> Vec<u8> {
    let image = image::RgbImage::from_fn(32, 32, |x, y| {
        let wave = (x as u8).wrapping_mul(7).wrapping_add((y as u8).wrapping_mul(3)).wrapping_add(seed) % 32;
        image::Rgb([red.saturating_add(wave), green.saturating_add(wave), blue.saturating_add(wave)])
    });
    let mut bytes = Vec::new();
    image.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Jpeg).unwrap();
    bytes
}

/// A folder data set of two colours, so many images each.
pub fn two_colours(place: &Place, folder: &str, each: u8) {
    for number in 0..each {
        place.write(&format!("{folder}/blue/{number}.jpg"), jpeg(20, 30, 180, number));
        place.write(&format!("{folder}/red/{number}.jpg"), jpeg(180, 30, 20, number));
    }
}

/// A spec over such a folder.
pub fn folder_spec(folder: &str) -> String {
    SMALL.replace("{ synthetic: blood_cells }", &format!("{{ folder: {folder} }}"))
}

/// Tensors of a safetensors file, by name: type, shape and bytes.
pub fn tensors(file: &Path) -> BTreeMap<String, (String, Vec<u8>)> {
    let bytes = fs::read(file).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: BTreeMap<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let values = &bytes[8 + length..];
    let tensors = header.into_iter().filter(|(name, _)| name != "__metadata__");
    let of = |entry: &Value| {
        let at = |place: usize| entry["data_offsets"][place].as_u64().unwrap() as usize;
        (format!("{} {}", entry["dtype"], entry["shape"]), values[at(0)..at(1)].to_vec())
    };
    tensors.map(|(name, entry)| (name, of(&entry))).collect()
}
