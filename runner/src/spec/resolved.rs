//! A pipeline written back as YAML: `resolved.yaml` of a run.

use super::{Pipeline, Source, Weights};
use std::path::{Path, PathBuf};

/// The pipeline as YAML, defaults and overrides filled in; loading it gives the same pipeline.
pub fn to_yaml(pipeline: &Pipeline) -> Result<String, serde_yaml::Error> {
    let mut bytes = Vec::new();
    let mut serializer = serde_yaml::Serializer::new(&mut bytes);
    serde_yaml::with::singleton_map_recursive::serialize(pipeline, &mut serializer)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The pipeline as a value, as [`to_yaml`] writes it: what is told of two specs is told of these, so that
/// it does not count how a thing is written.
pub fn to_value(pipeline: &Pipeline) -> Result<serde_yaml::Value, serde_yaml::Error> {
    serde_yaml::from_str(&to_yaml(pipeline)?)
}

/// The pipeline with its paths made absolute; they are relative to `dir`, the folder of the spec.
pub fn absolute(pipeline: &Pipeline, dir: &Path) -> Pipeline {
    // The folder of `spec.yaml` is written as nothing.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let settle = |path: &mut PathBuf| *path = dir.join(&path);
    let mut pipeline = pipeline.clone();
    for source in std::iter::once(&mut pipeline.data.source).chain(&mut pipeline.data.fallback) {
        match source {
            Source::Folder(path) | Source::Images(path) | Source::Manifest(path) | Source::Npz(path) => settle(path),
            Source::Dataset(_) | Source::Synthetic(_) => {}
        }
    }
    for plugin in &mut pipeline.plugins.load {
        settle(&mut plugin.path);
    }
    for weights in weights_mut(&mut pipeline) {
        let (file, run) = weights.paths_mut();
        file.map(settle);
        // A name is not a path: which run it was is known once the spec is planned.
        run.filter(|run| dir.join(run.as_path()).is_dir()).map(settle);
    }
    pipeline
}

/// The weights that a pipeline starts from, to be changed.
pub fn weights_mut(pipeline: &mut Pipeline) -> impl Iterator<Item = &mut Weights> {
    let of_backbone = pipeline.backbone.as_mut().and_then(|backbone| backbone.weights.as_mut());
    of_backbone.into_iter().chain(pipeline.weights.as_mut())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{LearningRate, PerGroup, load_text};
    use proptest::prelude::*;
    use std::path::Path;

    const SPEC: &str = include_str!("testdata/spec.yaml");

    fn read(text: &str) -> Pipeline {
        load_text("spec.yaml", text, Path::new(""), &[]).unwrap().pipeline
    }

    fn assert_comes_back(pipeline: &Pipeline) {
        let yaml = to_yaml(pipeline).unwrap();
        assert_eq!(&read(&yaml), pipeline, "{yaml}");
        assert!(!yaml.contains('!'), "{yaml}");
    }

    #[test]
    fn a_pipeline_comes_back_as_it_was() {
        let others = [
            ("source: { dataset: blood_cells }", "source: { manifest: a.csv }\n  fallback: { synthetic: blood_cells }"),
            ("normalize: backbone", "normalize: { custom: { mean: [0.1, 0.2, 0.3], std: [0.2, 0.3, 0.4] } }"),
            ("size: 96", "size: [64, 96]"),
            ("device: auto", "device: cuda:1"),
            ("{ adamw: { weight_decay: 0.01 } }", "sgd"),
            ("batch_norm: statistics", "batch_norm: { head: train, \"*\": frozen }\n      weight_decay: 1e-4"),
            (
                "arch: efficientnet_lite0",
                "arch: resnet18\n  insert: { after: layer3, layer: { dropout: 0.2 } }\n  replace: { layer1.0.relu1: silu }",
            ),
            (
                "arch: efficientnet_lite0",
                "arch: resnet18\n  insert: [{ after: stem, layer: batch_norm }, { after: stem, layer: { linear: { out: classes } } }]",
            ),
            (
                "lr: 3e-3",
                "lr: 3e-3, scheduler: cosine, warm_up: { epochs: 0.5 }, restore_best: true, reset_optimizer: true",
            ),
            ("epochs: 4", "max_epochs: 4, until: { metric: val_auc, above: 0.9 }, clip_grad_norm: 1"),
            ("lr: 3e-3", "lr: { layer_decay: 0.75, top: 1e-3 }"),
            ("lr: 3e-3", "lr: { discriminative: { top: 1e-3, bottom: 1e-5 } }"),
            (
                "arch: efficientnet_lite0\n  weights: assets/efficientnet_lite0.safetensors",
                "arch: resnet18\n  input: { adapt: mean }\n  weights: { run: ae, take: encoder.*, checkpoint: last }",
            ),
            ("label_smoothing: 0.05", "class_weights: balanced\n  clip_grad_norm: 1.5"),
        ];
        assert_comes_back(&read(SPEC));
        for (old, new) in others {
            assert!(SPEC.contains(old), "{old}");
            assert_comes_back(&read(&SPEC.replace(old, new)));
        }
        let (start, _) = SPEC.split_once("\nschedule:").unwrap();
        assert_comes_back(&read(&format!(
            "{start}\nschedule:\n  gradual_unfreeze: {{ every: 2, stages: [head], lr: 1e-3 }}\n"
        )));
    }

    #[test]
    fn paths_become_absolute_and_stay_so() {
        let here = std::env::current_dir().unwrap();
        for (dir, settled) in [("", here.clone()), ("specs", here.join("specs")), ("/specs", "/specs".into())] {
            let pipeline = absolute(&read(SPEC), Path::new(dir));
            let weights = pipeline.backbone.as_ref().unwrap().weights.clone().unwrap();
            assert_eq!(weights, Weights::File(settled.join("assets/efficientnet_lite0.safetensors")), "{dir}");
            assert_eq!(absolute(&pipeline, Path::new("/elsewhere")), pipeline);
        }
    }

    #[test]
    fn numbers_of_single_precision_stay_short() {
        assert!(to_yaml(&read(SPEC)).unwrap().contains("label_smoothing: 0.05\n"));
    }

    proptest! {
        #[test]
        fn any_names_and_numbers_come_back(
            name in r"[ -~é日]{0,12}|true|null|~|1e3|0x1F|yes|",
            seed: u64,
            smoothing in any::<f32>().prop_filter("a NaN equals nothing", |x| !x.is_nan()),
            lr in any::<f64>().prop_filter("a NaN equals nothing", |x| !x.is_nan()),
            p: f32,
        ) {
            prop_assume!(!p.is_nan());
            let mut pipeline = read(SPEC);
            pipeline.name.clone_from(&name);
            pipeline.seed = seed;
            pipeline.regularization.label_smoothing = smoothing;
            let phases = pipeline.schedule.phases.as_mut().unwrap();
            phases[0].train = vec![name.clone()];
            phases[0].lr = LearningRate::all(lr);
            phases[1].lr = LearningRate::Groups(PerGroup::Map([(name, lr)].into_iter().collect()));
            let yaml = to_yaml(&pipeline).unwrap();
            prop_assert_eq!(read(&yaml), pipeline, "{}", yaml);
        }
    }
}
