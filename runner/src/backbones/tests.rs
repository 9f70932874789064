//! All architectures against what is published of them.

use super::{Arch, Preprocessing};
use crate::layers::{AnyLayer, Shape};
use crate::net::surgery::rebuild;
use crate::net::{BuildError, Builder, Graph, Param, sequential};
use crate::weights::layout;

/// Published facts of an architecture with its 1000-class classifier.
struct Published {
    arch: Arch,
    /// Parameters, without batch norm's running statistics.
    parameters: usize,
    /// Millions of multiply-adds at the native size.
    multiply_adds: u64,
    /// The output of the backbone at the native size.
    output: (usize, usize),
    /// Stages without the head.
    stages: usize,
}

const PUBLISHED: [Published; 12] = [
    Published { arch: Arch::Resnet18, parameters: 11_689_512, multiply_adds: 1814, output: (7, 512), stages: 5 },
    Published { arch: Arch::Resnet34, parameters: 21_797_672, multiply_adds: 3664, output: (7, 512), stages: 5 },
    Published { arch: Arch::Resnet50, parameters: 25_557_032, multiply_adds: 4089, output: (7, 2048), stages: 5 },
    Published { arch: Arch::Vgg11, parameters: 132_863_336, multiply_adds: 7609, output: (7, 512), stages: 21 },
    Published { arch: Arch::Vgg11Bn, parameters: 132_868_840, multiply_adds: 7609, output: (7, 512), stages: 29 },
    Published { arch: Arch::Vgg16, parameters: 138_357_544, multiply_adds: 15470, output: (7, 512), stages: 31 },
    Published { arch: Arch::Vgg16Bn, parameters: 138_365_992, multiply_adds: 15470, output: (7, 512), stages: 44 },
    Published { arch: Arch::Alexnet, parameters: 61_100_840, multiply_adds: 714, output: (6, 256), stages: 13 },
    Published { arch: Arch::MobilenetV2, parameters: 3_504_872, multiply_adds: 301, output: (7, 1280), stages: 19 },
    // TensorFlow publishes 407, norms and activations included; this is B0's without
    // squeeze-and-excitation.
    Published {
        arch: Arch::EfficientnetLite0,
        parameters: 4_652_008,
        multiply_adds: 385,
        output: (7, 1280),
        stages: 18,
    },
    Published { arch: Arch::EfficientnetB0, parameters: 5_288_548, multiply_adds: 386, output: (7, 1280), stages: 18 },
    Published { arch: Arch::InceptionV3, parameters: 23_834_568, multiply_adds: 5713, output: (8, 2048), stages: 12 },
];

fn build(arch: Arch, size: usize) -> Result<(Graph, Shape), BuildError> {
    let mut net = Builder::new(Shape::Image { height: size, width: size, channels: 3 });
    let output = arch.build(&mut net)?;
    let features = net.shape(output);
    sequential::head(&mut net, &arch.default_head(1000), output).map_err(|refused| refused.error)?;
    Ok((net.finish(), features))
}

#[test]
fn nets_are_the_published_ones() {
    assert_eq!(PUBLISHED.each_ref().map(|published| published.arch), Arch::ALL);
    for published in &PUBLISHED {
        let arch = published.arch;
        let (graph, features) = build(arch, arch.native_size()).unwrap();
        let trained = graph.params.iter().filter(|param| !param.def.role.is_buffer());
        let parameters: usize = trained.map(|param| param.def.count()).sum();
        assert_eq!(parameters, published.parameters, "{}", arch.name());

        // What is published counts convolutions and linear layers alone.
        let counted = |layer: &AnyLayer| !matches!(layer, AnyLayer::BatchNorm(_) | AnyLayer::Add(_));
        let counted = graph.nodes.iter().filter(|node| counted(&node.layer));
        let multiply_adds: u64 = counted.map(|node| node.multiply_adds).sum();
        let (ours, theirs) = (multiply_adds as f64, published.multiply_adds as f64 * 1e6);
        assert!((ours / theirs - 1.0).abs() < 0.01, "{}: {ours} multiply-adds, published {theirs}", arch.name());

        let (side, channels) = published.output;
        assert_eq!(features, Shape::Image { height: side, width: side, channels }, "{}", arch.name());
        assert_eq!(graph.output(), Shape::Features(1000), "{}", arch.name());
        assert_eq!(graph.stages.len(), published.stages + 1, "{}", arch.name());
    }
}

#[test]
fn names_are_those_of_the_yaml() {
    for arch in Arch::ALL {
        assert_eq!(serde_json::to_value(arch).unwrap(), arch.name());
        assert_eq!(Arch::named(arch.name()), Some(arch));
    }
    assert_eq!(Arch::named("resnet"), None);
}

#[test]
fn stages_have_names_a_person_would_use() {
    let stages = |arch: Arch| -> Vec<String> {
        build(arch, 128).unwrap().0.stages.into_iter().map(|stage| stage.name).collect()
    };
    assert_eq!(stages(Arch::Resnet18), ["stem", "layer1", "layer2", "layer3", "layer4", "head"]);
    assert_eq!(stages(Arch::EfficientnetLite0)[..2], ["stem", "blocks.0"]);
    assert_eq!(stages(Arch::EfficientnetLite0)[16..], ["blocks.15", "conv_head", "head"]);
    assert_eq!(stages(Arch::Vgg11Bn)[27..], ["features.27", "features.28", "head"]);
    assert_eq!(stages(Arch::MobilenetV2)[17..], ["features.17", "features.18", "head"]);
    assert_eq!(stages(Arch::InceptionV3)[..3], ["stem", "mixed_5b", "mixed_5c"]);
    assert_eq!(stages(Arch::InceptionV3)[11..], ["mixed_7c", "head"]);
}

/// torchvision's `features[12]` of VGG-11 with batch norm is a batch norm; so is ours.
#[test]
fn features_are_numbered_as_in_torchvision() {
    let (graph, _) = build(Arch::Vgg11Bn, 64).unwrap();
    let node = graph.nodes.iter().find(|node| node.name == "features.12").unwrap();
    assert_eq!(graph.stages[node.stage].name, "features.12");
    assert!(matches!(node.layer, AnyLayer::BatchNorm(_)), "{:?}", node.layer);
}

/// Names, shapes and order of all tensors of the backbones, against what torch lists.
#[test]
fn tensors_are_those_of_torchvision() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden");
    let Ok(entries) = std::fs::read_dir(folder) else {
        eprintln!("skipped: no {folder}");
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "json"))
    {
        let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let arch = Arch::named(golden["arch"].as_str().unwrap()).unwrap();
        let Ok(theirs) = serde_json::from_value::<Vec<(String, Vec<usize>)>>(golden["tensors"].clone()) else {
            continue;
        };
        let (graph, _) = build(arch, 128).unwrap();
        let of_head = |param: &&Param| param.name.starts_with("head.");
        let ours = graph.params.iter().filter(|param| !of_head(param));
        let ours: Vec<_> = ours.map(|param| (param.name.clone(), layout::file_dims(&param.def))).collect();
        assert_eq!(theirs.len(), graph.params.len(), "{}", arch.name());
        assert_eq!(theirs[..ours.len()], ours, "{}", arch.name());
    }
}

/// A size that does not fit is an error that names the layer and the size that it got.
#[test]
fn images_too_small_are_refused() {
    for (arch, size, node, inputs) in [
        (Arch::Vgg16, 16, "features.30", "1x1x512"),
        (Arch::Alexnet, 32, "features.12", "1x1x256"),
        (Arch::InceptionV3, 74, "Mixed_7a.branch3x3_2.conv", "2x2x192"),
    ] {
        let error = build(arch, size).unwrap_err();
        assert_eq!((error.node.as_str(), error.inputs.as_str()), (node, inputs), "{error}");
    }
}

#[test]
fn small_images_that_fit_are_taken() {
    for (arch, size) in
        [(Arch::Resnet18, 1), (Arch::Vgg16, 32), (Arch::Alexnet, 63), (Arch::MobilenetV2, 1), (Arch::InceptionV3, 75)]
    {
        build(arch, size).unwrap();
    }
}

#[test]
fn preprocessing_maps_bytes_as_the_frameworks_do() {
    let apply = |Preprocessing { mean, std }: Preprocessing, byte: f32| (byte / 255.0 - mean[0]) / std[0];
    for byte in [0.0, 100.0, 255.0] {
        let lite = apply(Arch::EfficientnetLite0.preprocessing(), byte);
        assert!((lite - (byte - 127.0) / 128.0).abs() < 1e-6);
        // torchvision: ImageNet's statistics, then `transform_input` in the net.
        let imagenet = apply(Arch::Resnet18.preprocessing(), byte);
        let transformed = imagenet * (0.229 / 0.5) + (0.485 - 0.5) / 0.5;
        assert!((apply(Arch::InceptionV3.preprocessing(), byte) - transformed).abs() < 1e-6);
    }
}

/// What is known at the native size is enough to build a net over images of any.
#[test]
fn a_net_that_is_rebuilt_over_other_images_is_the_net_over_them() {
    for arch in Arch::ALL {
        let net = |side: usize| Builder::new(Shape::Image { height: side, width: side, channels: 3 });
        let mut native = net(arch.native_size());
        arch.build(&mut native).unwrap();
        let (mut direct, mut rebuilt) = (net(96), net(96));
        let output = arch.build(&mut direct).unwrap();
        assert_eq!(rebuild(&native.finish(), &[], &mut rebuilt).unwrap().output, output);
        let (direct, rebuilt) = (direct.finish(), rebuilt.finish());
        assert_eq!(format!("{:?}", direct.nodes), format!("{:?}", rebuilt.nodes), "{}", arch.name());
        assert_eq!(format!("{:?}", direct.params), format!("{:?}", rebuilt.params), "{}", arch.name());
        assert_eq!(direct.stages, rebuilt.stages);
    }
}
