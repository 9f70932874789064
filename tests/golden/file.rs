//! The golden files.

use runner::backbones::Arch;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What torch gave for one architecture with weights by formula.
#[derive(Debug, Deserialize)]
pub struct Golden {
    pub arch: Arch,
    pub num_classes: usize,
    /// (N, C, H, W)
    pub input: [usize; 4],
    /// By which formula weights and images are made.
    #[serde(default)]
    pub values: Formula,
    /// The learning rate of the trainings.
    #[serde(default = "Golden::default_lr")]
    pub lr: f64,
    /// The tensors of the `state_dict` in order, with their shapes; not in our own files.
    #[serde(default)]
    pub tensors: Vec<(String, Vec<usize>)>,
    pub eval_logits: Vec<Vec<f32>>,
    #[serde(default)]
    pub labels: Vec<usize>,
    train_all: Option<Training>,
    train_layer4_fc: Option<Training>,
}

/// How the values of weights and images are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Formula {
    /// Sines of the place: the files of `$RUNNER_GOLDEN`.
    #[default]
    Sine,
    /// Pseudo-random numbers: our own files.
    Uniform,
}

/// What torch gave for four steps of SGD.
#[derive(Debug, Deserialize)]
pub struct Training {
    /// The loss before each step.
    pub losses: Vec<f32>,
    pub eval_logits_after: Vec<Vec<f32>>,
}

/// Which stages train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trained {
    All,
    Stages(&'static [&'static str]),
}

impl Trained {
    pub fn contains(self, stage: &str) -> bool {
        match self {
            Trained::All => true,
            Trained::Stages(stages) => stages.contains(&stage),
        }
    }
}

impl Golden {
    fn default_lr() -> f64 {
        1e-4
    }

    /// The trainings there are.
    pub fn trainings(&self) -> Vec<(&'static str, &Training, Trained)> {
        let all = self.train_all.as_ref().map(|training| ("train_all", training, Trained::All));
        let top = self
            .train_layer4_fc
            .as_ref()
            .map(|training| ("train_layer4_fc", training, Trained::Stages(&["layer4", "head"])));
        all.into_iter().chain(top).collect()
    }
}

/// Our own files, and the folder that `$RUNNER_GOLDEN` names.
fn folders() -> Vec<PathBuf> {
    let own = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/reference"));
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden"));
    let given = std::env::var_os("RUNNER_GOLDEN").map_or_else(default, PathBuf::from);
    if !given.is_dir() {
        eprintln!("skipped: no golden files in {} (RUNNER_GOLDEN sets the folder)", given.display());
    }
    // A program that was taken elsewhere finds our own in that folder too.
    [own, given].into_iter().filter(|folder| folder.is_dir()).collect()
}

/// All golden files.
pub fn paths() -> Vec<PathBuf> {
    let entries = folders().into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut paths: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    paths
}

fn value(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The architecture that a file is about.
pub fn arch(path: &Path) -> String {
    value(path)["arch"].as_str().unwrap_or_default().to_string()
}

/// The files about `arch` whose weights are given by the formula.
pub fn of(arch: Arch) -> Vec<Golden> {
    values(arch)
        .into_iter()
        .filter(|value| value["input"].is_array())
        .map(|value| serde_json::from_value(value).unwrap())
        .collect()
}

/// The logits of the pretrained weights of `arch` over the golden input, with their file's name.
pub fn pretrained_logits(arch: Arch) -> Option<Vec<f32>> {
    let value = values(arch).into_iter().find(|value| value.get("weights").is_some())?;
    let logits: Vec<Vec<f32>> = serde_json::from_value(value["eval_logits"].clone()).unwrap();
    logits.into_iter().next()
}

fn values(arch: Arch) -> Vec<Value> {
    paths().iter().map(|path| value(path)).filter(|value| value["arch"] == arch.name()).collect()
}
