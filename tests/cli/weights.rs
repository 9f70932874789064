//! Weight files that are not what they should be, and the one that ships.

use runner::backbones::Arch;
use runner::layers::{Layout, ParamDef, Relu, Role, Shape};
use runner::net::{Graph, Node, Param, Stage};
use runner::spec::Allow;
use runner::weights::report::{read, report};
use runner::weights::save::{NamedTensor, Precision, save};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The parameters of efficientnet_lite0's backbone: names, and shapes in memory.
fn lite0() -> Vec<(String, Vec<usize>)> {
    let mut params = Vec::new();
    let mut conv_bn = |conv: String, bn: String, dims: [usize; 4]| {
        params.push((format!("{conv}.weight"), dims.to_vec()));
        let parts = ["weight", "bias", "running_mean", "running_var"];
        params.extend(parts.map(|part| (format!("{bn}.{part}"), vec![dims[3]])));
    };
    conv_bn("stem.conv".into(), "stem.bn".into(), [3, 3, 3, 32]);
    // Expansion, channels, blocks, kernel: table 1 of the EfficientNet paper, at width and depth 1.
    let stages =
        [(1, 16, 1, 3), (6, 24, 2, 3), (6, 40, 2, 5), (6, 80, 3, 3), (6, 112, 3, 5), (6, 192, 4, 5), (6, 320, 1, 3)];
    let (mut input, mut block) = (32, 0);
    for (expansion, output, count, kernel) in stages {
        for _ in 0..count {
            let inner = input * expansion;
            let layer = |layer: &str| format!("blocks.{block}.{layer}");
            if expansion > 1 {
                conv_bn(layer("expand_conv"), layer("expand_bn"), [1, 1, input, inner]);
            }
            conv_bn(layer("depthwise_conv"), layer("depthwise_bn"), [kernel, kernel, 1, inner]);
            conv_bn(layer("project_conv"), layer("project_bn"), [1, 1, inner, output]);
            (input, block) = (output, block + 1);
        }
    }
    conv_bn("conv_head.conv".into(), "conv_head.bn".into(), [1, 1, 320, 1280]);
    params
}

/// A net with these parameters, one node each: enough to hold a file against.
fn graph(params: &[(String, Vec<usize>)]) -> Graph {
    let node = |id: usize, name: &str| Node {
        name: name.into(),
        layer: Relu::default().into(),
        inputs: Vec::new(),
        output: Shape::Features(1),
        multiply_adds: 0,
        params: id..id + 1,
        stage: 0,
    };
    let param = |node: usize, name: &str, dims: &[usize]| {
        let (role, layout) = if dims.len() == 4 { (Role::Weight, Layout::Conv) } else { (Role::Scale, Layout::Plain) };
        let def = ParamDef { name: "weight", dims: dims.to_vec(), role, layout, fans: (1, 1) };
        Param { name: name.into(), def, node }
    };
    Graph {
        input: Shape::Features(1),
        nodes: params.iter().enumerate().map(|(id, (name, _))| node(id, name)).collect(),
        stages: vec![Stage { name: "backbone".into(), nodes: 0..params.len() }],
        params: params.iter().enumerate().map(|(id, (name, dims))| param(id, name, dims)).collect(),
    }
}

fn small() -> Vec<(String, Vec<usize>)> {
    vec![("conv1.weight".into(), vec![3, 3, 3, 8]), ("bn1.weight".into(), vec![8]), ("bn1.bias".into(), vec![8])]
}

/// A file for [`small`], changed by `change` before it is written.
fn written(change: impl FnOnce(&mut Vec<NamedTensor>)) -> (TempDir, PathBuf) {
    let tensor = |name: &str, dims: Vec<usize>| {
        let count = dims.iter().product();
        NamedTensor::new(name, dims, vec![0.5; count])
    };
    let mut tensors =
        vec![tensor("conv1.weight", vec![8, 3, 3, 3]), tensor("bn1.weight", vec![8]), tensor("bn1.bias", vec![8])];
    change(&mut tensors);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    save(&path, &tensors, &BTreeMap::new(), Precision::Float32).unwrap();
    (folder, path)
}

fn refused(path: &Path) -> Vec<String> {
    report(path, &graph(&small()), Some(Arch::Resnet18), &Allow::default()).unwrap().refused
}

fn error(path: &Path) -> String {
    report(path, &graph(&small()), Some(Arch::Resnet18), &Allow::default()).unwrap_err().to_string()
}

#[test]
fn a_sound_file_is_taken() {
    let (_folder, path) = written(|_| {});
    assert!(refused(&path).is_empty());
}

#[test]
fn a_tensor_is_missing() {
    let (_folder, path) = written(|tensors| drop(tensors.pop()));
    assert_eq!(refused(&path), ["`bn1.bias` is missing from the file"]);
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
    assert!(error(&path).ends_with("the file is cut short: its header describes 928 bytes of values, 927 are there"));
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
    let graph = graph(&lite0());
    let report = report(path, &graph, Some(Arch::EfficientnetLite0), &Allow::default()).unwrap();
    assert_eq!(report.to_string(), "matched 245 of 245 parameters (EfficientNet-PyTorch's names)");
    assert!(report.refused.is_empty());
    let values = read(path, &graph, &report).unwrap();
    assert_eq!(values.iter().map(|(_, values)| values.len()).sum::<usize>(), 3_413_024);
    assert!(values.iter().all(|(_, values)| values.iter().all(|value| value.is_finite())));
    assert!(runner::weights::WeightFile::open(path).unwrap().verify().unwrap());
}
