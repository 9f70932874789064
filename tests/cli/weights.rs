//! Weight files that are not what they should be, and the one that ships.

use runner::backbones::Arch;
use runner::layers::{BatchNorm, Conv2d, Shape};
use runner::net::{Builder, Graph, Source};
use runner::spec::Allow;
use runner::weights::WeightFile;
use runner::weights::report::{read, report};
use runner::weights::save::{NamedTensor, Precision, save};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A net of one convolution and one batch norm.
fn small() -> Graph {
    let mut net = Builder::new(Shape::Image { height: 8, width: 8, channels: 3 });
    let conv = net.add("conv1", Conv2d::new(8, 3).without_bias(), Source::Image).unwrap();
    net.add("bn1", BatchNorm::default(), conv).unwrap();
    net.finish()
}

/// A file for [`small`], changed by `change` before it is written.
fn written(change: impl FnOnce(&mut Vec<NamedTensor>)) -> (TempDir, PathBuf) {
    let tensor = |name: &str, dims: Vec<usize>| {
        let count = dims.iter().product();
        NamedTensor::new(name, dims, vec![0.5; count])
    };
    let mut tensors = vec![tensor("conv1.weight", vec![8, 3, 3, 3])];
    tensors
        .extend(["weight", "bias", "running_mean", "running_var"].map(|part| tensor(&format!("bn1.{part}"), vec![8])));
    change(&mut tensors);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    save(&path, &tensors, &BTreeMap::new(), Precision::Float32).unwrap();
    (folder, path)
}

fn refused(path: &Path) -> Vec<String> {
    report(path, &small(), Some(Arch::Resnet18), &Allow::default()).unwrap().refused
}

fn error(path: &Path) -> String {
    report(path, &small(), Some(Arch::Resnet18), &Allow::default()).unwrap_err().to_string()
}

#[test]
fn a_sound_file_is_taken() {
    let (_folder, path) = written(|_| {});
    assert!(refused(&path).is_empty());
}

#[test]
fn a_tensor_is_missing() {
    let (_folder, path) = written(|tensors| drop(tensors.pop()));
    assert_eq!(refused(&path), ["`bn1.running_var` is missing from the file"]);
}

#[test]
fn a_tensor_is_renamed() {
    let (_folder, path) = written(|tensors| tensors[0].name = "conv_1.weight".into());
    assert_eq!(
        refused(&path),
        [
            "`conv1.weight` is missing from the file: did you mean its `conv_1.weight`?",
            "`conv_1.weight` of the file is not in the net"
        ]
    );
}

#[test]
fn a_tensor_has_another_shape() {
    let (_folder, path) = written(|tensors| tensors[0].dims = vec![3, 8, 3, 3]);
    assert_eq!(refused(&path), ["`conv1.weight` is (8, 3, 3, 3) in the net, but (3, 8, 3, 3) in the file"]);
}

#[test]
fn the_file_is_cut_short_anywhere() {
    let (_folder, path) = written(|_| {});
    let sound = std::fs::read(&path).unwrap();
    for len in (0..sound.len()).rev().step_by(17).collect::<Vec<_>>().into_iter().rev() {
        std::fs::write(&path, &sound[..len]).unwrap();
        assert!(error(&path).starts_with(&path.display().to_string()), "{len}");
    }
    assert!(error(&path).ends_with("the file is cut short: its header describes 992 bytes of values, 991 are there"));
}

#[test]
fn the_header_claims_more_than_there_is() {
    let (_folder, path) = written(|_| {});
    let mut bytes = std::fs::read(&path).unwrap();
    for claim in [1_u64 << 60, 1 << 40, u64::MAX, bytes.len() as u64] {
        bytes[..8].copy_from_slice(&claim.to_le_bytes());
        std::fs::write(&path, &bytes).unwrap();
        let error = error(&path);
        assert!(error.contains(&format!("its header has {claim} bytes, but the file has {}", bytes.len())), "{error}");
    }
}

#[test]
fn a_pickle_that_runs_a_command_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let (path, trace) = (folder.path().join("net.pth"), folder.path().join("trace"));
    let command = format!("touch {}", trace.display());
    let mut pickle = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    pickle.extend(b"\x80\x02}X\x0d\0\0\0little_endian\x88s.\x80\x02cos\nsystem\nX");
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"\x85R.");
    std::fs::write(&path, pickle).unwrap();
    let error = error(&path);
    assert!(error.contains("the pickle calls `os.system`, which no state dict needs: it is not run"), "{error}");
    assert!(!trace.exists());
}

#[test]
fn the_weights_that_ship_fit_their_net_entirely() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines/assets/efficientnet_lite0.safetensors"));
    let mut net = Builder::new(Shape::Image { height: 96, width: 96, channels: 3 });
    Arch::EfficientnetLite0.build(&mut net).unwrap();
    let graph = net.finish();
    let report = report(path, &graph, Some(Arch::EfficientnetLite0), &Allow::default()).unwrap();
    assert_eq!(report.to_string(), "matched 245 of 245 parameters (EfficientNet-PyTorch's names)");
    assert!(report.refused.is_empty());
    let values = read(path, &graph, &report).unwrap();
    assert_eq!(values.iter().map(|(_, values)| values.len()).sum::<usize>(), 3_413_024);
    assert!(values.iter().all(|(_, values)| values.iter().all(|value| value.is_finite())));
    assert!(WeightFile::open(path).unwrap().verify().unwrap());
}
