//! Holds the nets against numbers that torch gave.
//!
//! A golden file is about one architecture: logits, training losses, and a formula for the weights.
//! Our own are in `reference/`. `$RUNNER_GOLDEN` (default `../shared/golden`) is a folder of more;
//! where it is missing, these tests say so and go on.
#![allow(clippy::unwrap_used)]

mod agreement;
mod device;
mod file;
mod formula;
mod optimizers;
mod pretrained;
mod state_dict;
mod subject;
mod training;

use agreement::Spread;
use file::Formula;
use runner::backbones::Arch;
use runner::engine::KernelSet;
use subject::Subject;

/// Checks all that the golden files say of one architecture, with both sets of kernels.
fn check(arch: Arch) {
    if !device::is_there() {
        return;
    }
    for golden in file::of(arch) {
        let subject = Subject::new(&golden);
        for kernels in [KernelSet::Fast, KernelSet::Assembled] {
            let logits = subject.logits(kernels);
            agreement::logits(&format!("{kernels:?} eval_logits"), &logits, &golden.eval_logits);
        }
        for (what, torch, trained) in golden.trainings() {
            let steps = torch.losses.len();
            let spread = match golden.values {
                Formula::Sine => subject.spread(trained, steps),
                Formula::Uniform => Spread::none(steps),
            };
            for kernels in [KernelSet::Fast, KernelSet::Assembled] {
                let ours = subject.train(kernels, trained, steps);
                agreement::training(&format!("{kernels:?} {what}"), &ours, torch, &spread);
            }
        }
    }
}

macro_rules! golden {
    ($($test:ident: $arch:ident),* $(,)?) => {
        $(#[test]
        fn $test() {
            check(Arch::$arch);
        })*

        /// A new architecture is not forgotten here.
        #[test]
        fn every_architecture_has_a_test() {
            assert_eq!([$(Arch::$arch),*], Arch::ALL);
        }
    };
}

golden! {
    resnet18: Resnet18,
    resnet34: Resnet34,
    resnet50: Resnet50,
    vgg11: Vgg11,
    vgg11_bn: Vgg11Bn,
    vgg16: Vgg16,
    vgg16_bn: Vgg16Bn,
    alexnet: Alexnet,
    mobilenet_v2: MobilenetV2,
    efficientnet_lite0: EfficientnetLite0,
    efficientnet_b0: EfficientnetB0,
    inception_v3: InceptionV3,
}

/// A file of an unknown architecture, or one that cannot be read, is not passed over in silence.
#[test]
fn every_file_is_known() {
    for path in file::paths() {
        let arch = file::arch(&path);
        assert!(Arch::named(&arch).is_some(), "{}: unknown architecture `{arch}`", path.display());
    }
}
