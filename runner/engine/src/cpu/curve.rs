//! Activation functions and their slopes, as types, so that loops are compiled for each.

/// A function of one number.
pub trait Curve: Copy + Send + Sync + 'static {
    /// The function's value.
    fn value(z: f32) -> f32;
    /// Its derivative; at a corner, torch's choice.
    fn slope(z: f32) -> f32;
}

/// `z`
#[derive(Clone, Copy)]
pub struct Identity;
/// See [`crate::Activation::Relu`].
#[derive(Clone, Copy)]
pub struct Relu;
/// See [`crate::Activation::Relu6`].
#[derive(Clone, Copy)]
pub struct Relu6;
/// See [`crate::Activation::Silu`].
#[derive(Clone, Copy)]
pub struct Silu;
/// See [`crate::Activation::Sigmoid`].
#[derive(Clone, Copy)]
pub struct Sigmoid;
/// See [`crate::Activation::Hardswish`].
#[derive(Clone, Copy)]
pub struct Hardswish;

impl Curve for Identity {
    #[inline(always)]
    fn value(z: f32) -> f32 {
        z
    }
    #[inline(always)]
    fn slope(_: f32) -> f32 {
        1.0
    }
}

impl Curve for Relu {
    #[inline(always)]
    fn value(z: f32) -> f32 {
        // Written so that NaN stays NaN.
        if z <= 0.0 { 0.0 } else { z }
    }
    #[inline(always)]
    fn slope(z: f32) -> f32 {
        if z <= 0.0 { 0.0 } else { 1.0 }
    }
}

impl Curve for Relu6 {
    #[inline(always)]
    fn value(z: f32) -> f32 {
        let low = if z <= 0.0 { 0.0 } else { z };
        if low >= 6.0 { 6.0 } else { low }
    }
    #[inline(always)]
    fn slope(z: f32) -> f32 {
        // Without a branch, so that loops over it are vectorised.
        #[allow(clippy::needless_bitwise_bool)]
        if (z <= 0.0) | (z >= 6.0) { 0.0 } else { 1.0 }
    }
}

impl Curve for Sigmoid {
    #[inline(always)]
    fn value(z: f32) -> f32 {
        1.0 / (1.0 + exp(-z))
    }
    #[inline(always)]
    fn slope(z: f32) -> f32 {
        let s = Sigmoid::value(z);
        s * (1.0 - s)
    }
}

impl Curve for Silu {
    #[inline(always)]
    fn value(z: f32) -> f32 {
        z * Sigmoid::value(z)
    }
    #[inline(always)]
    fn slope(z: f32) -> f32 {
        let s = Sigmoid::value(z);
        s * (1.0 + z * (1.0 - s))
    }
}

impl Curve for Hardswish {
    #[inline(always)]
    fn value(z: f32) -> f32 {
        z * Relu6::value(z + 3.0) * (1.0 / 6.0)
    }
    #[inline(always)]
    fn slope(z: f32) -> f32 {
        let middle = z * (1.0 / 3.0) + 0.5;
        let low = if z <= -3.0 { 0.0 } else { middle };
        if z >= 3.0 { 1.0 } else { low }
    }
}

/// `e^x` by Cody and Waite's reduction and a polynomial (Cephes' `expf`), within 2e-7 of the exact
/// value relatively, written without branches so that loops over it are vectorised. Saturates
/// where the result would be infinite or denormal; NaN stays NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding and subtracting it rounds to a whole number, which is then in its low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    #[allow(clippy::excessive_precision)]
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let r = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    // The digits are Cephes' own.
    #[allow(clippy::excessive_precision)]
    let polynomial =
        ((((1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_6e-1) * r
            + 5.000_000_1e-1;
    let power = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    (polynomial * r * r + r + 1.0) * f32::from_bits(power)
}

/// Calls a function that is generic over a [`Curve`] with the one that an
/// `Option<`[`crate::Activation`]`>` names.
macro_rules! with_curve {
    ($activation:expr, $curve:ident => $body:expr) => {{
        use $crate::cpu::curve;
        match $activation {
            None => {
                type $curve = curve::Identity;
                $body
            }
            Some($crate::Activation::Relu) => {
                type $curve = curve::Relu;
                $body
            }
            Some($crate::Activation::Relu6) => {
                type $curve = curve::Relu6;
                $body
            }
            Some($crate::Activation::Silu) => {
                type $curve = curve::Silu;
                $body
            }
            Some($crate::Activation::Sigmoid) => {
                type $curve = curve::Sigmoid;
                $body
            }
            Some($crate::Activation::Hardswish) => {
                type $curve = curve::Hardswish;
                $body
            }
        }
    }};
}
pub(super) use with_curve;

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn exp_is_within_its_bound() {
        let mut x = -86.9_f32;
        while x < 87.9 {
            let exact = f64::from(x).exp();
            let off = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(off < 2e-7, "exp({x}) is off by {off:e}");
            x += 0.00137;
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
        assert!(exp(f32::INFINITY) > 1e38);
    }
}
