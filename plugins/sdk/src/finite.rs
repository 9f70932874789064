//! Derivatives by central finite differences, to check gradients by.

/// The step, as a part of the value's magnitude (or of 1, if the value is smaller).
const STEP: f32 = 1e-2;

/// The derivative of `f` by `at[index]`; none where `f` has a kink or a jump nearby, or is not
/// finite. `at` is changed on the way and restored.
///
/// Two step widths must give the same slope, and the slopes to the left and to the right must come
/// closer as the step shrinks; the answer is Richardson's extrapolation of the two. `f` is expected
/// to be computed in float32 and summed in float64, with values not far from 1.
pub fn derivative(mut f: impl FnMut(&[f32]) -> f64, at: &mut [f32], index: usize) -> Option<f64> {
    let value = *at.get(index)?;
    let step = STEP * value.abs().max(1.0);
    let mut evaluate = |x: f32| {
        at[index] = x;
        let y = f(at);
        at[index] = value;
        y
    };
    let here = evaluate(value);
    let mut slopes = |step: f32| {
        let (left, right) = (value - step, value + step);
        let (low, high) = (evaluate(left), evaluate(right));
        let (left, middle, right) = (f64::from(left), f64::from(value), f64::from(right));
        let sides = ((here - low) / (middle - left), (high - here) / (right - middle));
        ((high - low) / (right - left), (sides.1 - sides.0).abs())
    };
    let (wide, wide_gap) = slopes(step);
    let (narrow, narrow_gap) = slopes(step / 2.0);
    let noise = 1e-4 * (1.0 + here.abs()) + 1e-2 * wide.abs().max(narrow.abs());
    let smooth = (wide - narrow).abs() <= noise && narrow_gap <= 0.75 * wide_gap + noise;
    // Comparisons with what is not a number are false.
    smooth.then_some((4.0 * narrow - wide) / 3.0)
}

/// Whether a gradient is what [`derivative`] says, as near as float32 can tell.
pub fn agrees(expected: f64, got: f64) -> bool {
    (expected - got).abs() <= 2e-3 + 1e-2 * expected.abs().max(got.abs())
}

#[cfg(test)]
mod tests {
    use super::{agrees, derivative};

    fn at(x: f32, f: impl Fn(f32) -> f32) -> Option<f64> {
        let mut point = [5.0, x, 7.0];
        let slope = derivative(|x| f64::from(f(x[1])), &mut point, 1);
        assert_eq!(point.map(f32::to_bits), [5.0, x, 7.0].map(f32::to_bits), "the point is restored");
        slope
    }

    #[test]
    fn smooth_functions_have_their_derivative() {
        type Pair = (fn(f32) -> f32, fn(f64) -> f64);
        let functions: [Pair; 5] = [
            (|x| 3.0 * x, |_| 3.0),
            (|x| x * x, |x| 2.0 * x),
            (f32::exp, f64::exp),
            (f32::tanh, |x| 1.0 - x.tanh() * x.tanh()),
            (|x| 1.0 / (1.0 + x * x), |x| -2.0 * x / (1.0 + x * x).powi(2)),
        ];
        for (i, (f, slope)) in functions.into_iter().enumerate() {
            for x in [-2.0, -0.7, 0.0, 0.01, 0.5, 3.0_f32] {
                let (got, expected) = (at(x, f).unwrap(), slope(f64::from(x)));
                assert!((got - expected).abs() < 2e-4 * (1.0 + expected.abs()), "{i} at {x}: {got}, not {expected}");
            }
        }
    }

    #[test]
    fn a_kink_or_a_jump_within_the_step_is_none() {
        for x in [0.0, 0.001, -0.001, 0.004, -0.004, 0.0045, 0.008, -0.008] {
            assert_eq!(at(x, |x| x.max(0.0)), None, "kink at {x}");
            assert_eq!(at(x, |x| if x > 0.0 { 1.0 } else { 0.0 }), None, "jump at {x}");
        }
        assert_eq!(at(0.0, f32::abs), None);
        for x in [0.02, -0.02] {
            let slope = at(x, |x| x.max(0.0)).unwrap();
            assert!((slope - f64::from(u8::from(x > 0.0))).abs() < 1e-4, "{slope} at {x}");
        }
    }

    #[test]
    fn what_is_not_finite_is_none() {
        assert_eq!(at(0.001, f32::ln), None);
        assert_eq!(at(f32::INFINITY, |x| x), None);
        assert_eq!(at(f32::NAN, |x| x), None);
        assert_eq!(derivative(|_| 1.0, &mut [1.0], 1), None, "an index outside");
    }

    #[test]
    fn agreement_is_of_about_one_in_a_hundred() {
        assert!(agrees(1.0, 1.005) && agrees(-200.0, -201.0) && agrees(0.0, 0.001));
        assert!(!agrees(1.0, 1.05) && !agrees(1.0, -1.0) && !agrees(0.0, 0.01) && !agrees(1.0, f64::NAN));
    }
}
