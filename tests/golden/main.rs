//! Holds the nets against numbers that torch gave.
//!
//! `$RUNNER_GOLDEN` (default `../shared/golden`) is a folder of JSON files, one an architecture:
//! logits, training losses, and a formula for the weights. Where the folder is missing, these
//! tests say so and pass.

mod agreement;
mod file;
mod formula;
mod pretrained;
mod subject;
mod training;

use runner::backbones::Arch;
use runner::engine::KernelSet;
use subject::Subject;

/// Checks all that the golden files say of one architecture, with one set of kernels.
fn check(arch: Arch, kernels: KernelSet) {
    for golden in file::of(arch) {
        let mut subject = Subject::new(&golden, kernels);
        agreement::logits("eval_logits", &subject.logits(), &golden.eval_logits);
        for (what, expected, trained) in golden.trainings() {
            subject.reset();
            let losses = subject.train(&golden, expected.losses.len(), trained);
            agreement::losses(what, &losses, &expected.losses);
            agreement::logits_after_training(what, &subject.logits(), &expected.eval_logits_after);
        }
    }
}

macro_rules! golden {
    ($($arch:ident: $variant:ident),* $(,)?) => {
        $(mod $arch {
            use super::{Arch, KernelSet, check};

            #[test]
            fn fast() {
                check(Arch::$variant, KernelSet::Fast);
            }

            #[test]
            fn assembled() {
                check(Arch::$variant, KernelSet::Assembled);
            }
        })*

        /// A new architecture is not forgotten here.
        #[test]
        fn every_architecture_has_a_test() {
            assert_eq!([$(Arch::$variant),*], Arch::ALL);
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
