//! The solvers held against scikit-learn 1.9.1, with tolerances of 1e-12 on its side.

use super::{Fitted, Hinge, LinearSvm, Logistic, Samples};
use crate::random::{Key, Purpose};

/// Coefficients (classes, features) and intercepts.
type Known = ([[f64; 4]; 3], [f64; 3]);

/// `LinearSVC(C=0.7, dual=True)`
const SQUARED_HINGE: Known = (
    [
        [0.876_197_874, -0.717_888_255, -1.408_048_788, -1.670_877_401],
        [0.766_487_278, 1.649_680_493, 0.916_624_803, 0.164_465_176],
        [-1.670_220_446, -0.715_276_913, 0.714_447_827, 1.689_711_694],
    ],
    [-0.070_118_671, -1.442_339_822, 0.007_527_107],
);
/// `LinearSVC(C=0.7, loss="hinge")`
const HINGE: Known = (
    [
        [1.116_438_032, -0.883_561_953, -2.043_407_641, -2.371_273_738],
        [-0.090_472_776, 1.205_863_179, 0.271_133_594, 0.348_391_626],
        [-1.754_065_12, -0.865_893_386, 0.872_929_878, 1.792_229_023],
    ],
    [-0.116_438_097, -1.146_550_157, 0.023_397_931],
);
/// `LinearSVC(C=0.7, dual=True).fit(x, y, sample_weight=WEIGHTS[y])`
const SQUARED_HINGE_WEIGHTED: Known = (
    [
        [0.907_394_434, -0.766_147_707, -1.551_480_698, -1.815_682_548],
        [0.728_212_115, 1.877_792_205, 1.301_412_045, 0.482_661_006],
        [-1.609_632_407, -0.757_661_607, 0.627_101_175, 1.574_144_568],
    ],
    [-0.118_897_391, -1.322_896_455, -0.145_774_598],
);
/// `LogisticRegression(C=0.7)`
const LOGISTIC: Known = (
    [
        [1.113_540_214, -0.536_451_407, -1.093_871_215, -1.348_944_997],
        [0.010_920_804, 1.018_953_907, 0.103_511_919, 0.146_814_843],
        [-1.124_461_018, -0.482_502_5, 0.990_359_296, 1.202_130_154],
    ],
    [0.150_397_755, -0.334_306_544, 0.183_908_788],
);
/// `LogisticRegression(C=0.7, class_weight={0: 1, 1: 2, 2: 0.5})`
const LOGISTIC_WEIGHTED: Known = (
    [
        [1.066_027_458, -0.632_969_072, -1.224_150_883, -1.394_342_349],
        [-0.118_858_535, 1.134_771_383, 0.343_773_376, 0.443_604_699],
        [-0.947_168_923, -0.501_802_311, 0.880_377_506, 0.950_737_651],
    ],
    [0.162_089_869, 0.193_633_048, -0.355_722_916],
);
/// `make_pipeline(StandardScaler(), LogisticRegression(C=0.7)).fit(3 * x + 5, y)`, the scaler folded in.
const STANDARDIZED: Known = (
    [
        [0.463_214_053, -0.191_432_645, -0.452_927_549, -0.609_901_795],
        [0.031_519_249, 0.379_094_979, 0.069_010_785, 0.057_296_374],
        [-0.494_733_301, -0.187_662_334, 0.383_916_763, 0.552_605_42],
    ],
    [4.069_383_209, -3.038_428_565, -1.030_954_644],
);

const WEIGHTS: [f64; 3] = [1.0, 2.0, 0.5];

/// 45 samples of 4 features: waves, higher along the feature of the sample's class.
fn waves(weights: [f64; 3]) -> Samples {
    let value = |sample: u32, feature: u32| {
        let shift = if sample % 3 == feature { 1.0 } else { 0.0 };
        ((1.7 * f64::from(sample) + 2.3 * f64::from(feature)).sin() + shift) as f32
    };
    let labels: Vec<usize> = (0..45).map(|sample| sample % 3).collect();
    Samples {
        values: (0..45).flat_map(|sample| (0..4).map(move |feature| value(sample, feature))).collect(),
        width: 4,
        weights: labels.iter().map(|&label| weights[label]).collect(),
        labels,
        classes: 3,
    }
}

fn svm(loss: Hinge) -> Fitted {
    Fitted::LinearSvm(LinearSvm { c: 0.7, loss, tolerance: 1e-6, max_iterations: 100_000, standardize: false })
}

fn logistic(standardize: bool) -> Fitted {
    Fitted::Logistic(Logistic { c: 0.7, tolerance: 1e-11, standardize, ..Logistic::default() })
}

fn assert_is(fitted: &Fitted, samples: Samples, (weights, bias): Known, within: f64) {
    let solution = fitted.fit(samples, Key::new(3, Purpose::Fit));
    assert!(solution.converged, "{fitted}: {} iterations", solution.iterations);
    let found = solution.map.weights.iter().chain(&solution.map.bias);
    for (found, known) in found.zip(weights.iter().flatten().chain(&bias)) {
        assert!((found - known).abs() < within, "{fitted}: {found} is not {known}");
    }
}

#[test]
fn solutions_are_those_of_scikit_learn() {
    let plain = [1.0; 3];
    assert_is(&svm(Hinge::SquaredHinge), waves(plain), SQUARED_HINGE, 1e-5);
    assert_is(&svm(Hinge::SquaredHinge), waves(WEIGHTS), SQUARED_HINGE_WEIGHTED, 1e-5);
    assert_is(&svm(Hinge::Hinge), waves(plain), HINGE, 1e-5);
    assert_is(&logistic(false), waves(plain), LOGISTIC, 1e-6);
    assert_is(&logistic(false), waves(WEIGHTS), LOGISTIC_WEIGHTED, 1e-6);
}

#[test]
fn standardizing_is_that_of_scikit_learn_and_folded_in() {
    let mut samples = waves([1.0; 3]);
    samples.values.iter_mut().for_each(|value| *value = 3.0 * *value + 5.0);
    assert_is(&logistic(true), samples, STANDARDIZED, 2e-6);
}
