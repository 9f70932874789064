//! Initial values of parameters.

use crate::layers::{FirstValues, Init, ParamDef, Role};
use crate::random::{Key, Stream};
use rayon::prelude::*;

/// The initial values of a parameter, in memory order: weights by `init`, biases and shifts 0,
/// scales 1, running means 0, running variances 1.
///
/// Biases are 0 under every `init`, also where torch draws them (`uniform`): a bias does not know
/// the fan-in of its weight, and starting at 0 is what the papers do.
pub fn draw(def: &ParamDef, init: Init, key: Key) -> Vec<f32> {
    match def.init {
        None => draw_by_role(def, init, key),
        Some(FirstValues::Weight) => draw_weight(def, init, &mut key.stream()),
        Some(FirstValues::Constant(value)) => vec![value; def.count()],
        Some(FirstValues::Uniform(low, high)) => {
            let mut stream = key.stream();
            (0..def.count()).map(|_| stream.range(low, high)).collect()
        }
        Some(FirstValues::Normal { mean, std }) => {
            let mut stream = key.stream();
            (0..def.count()).map(|_| mean + std * stream.normal()).collect()
        }
    }
}

fn draw_by_role(def: &ParamDef, init: Init, key: Key) -> Vec<f32> {
    match def.role {
        Role::Weight => draw_weight(def, init, &mut key.stream()),
        Role::Bias | Role::Shift | Role::RunningMean => vec![0.0; def.count()],
        Role::Scale | Role::RunningVariance => vec![1.0; def.count()],
    }
}

fn draw_weight(def: &ParamDef, init: Init, stream: &mut Stream) -> Vec<f32> {
    let (fan_in, fan_out) = (def.fans.0.max(1) as f32, def.fans.1.max(1) as f32);
    match init {
        Init::Kaiming => normal(def.count(), (2.0 / fan_in).sqrt(), stream),
        Init::Lecun => normal(def.count(), (1.0 / fan_in).sqrt(), stream),
        Init::Xavier => uniform(def.count(), (6.0 / (fan_in + fan_out)).sqrt(), stream),
        Init::Uniform => uniform(def.count(), (1.0 / fan_in).sqrt(), stream),
        Init::Orthogonal => {
            let out = def.dims.last().copied().unwrap_or(1).max(1);
            orthogonal(def.count() / out, out, std::f64::consts::SQRT_2, stream)
        }
    }
}

fn normal(count: usize, std: f32, stream: &mut Stream) -> Vec<f32> {
    (0..count).map(|_| std * stream.normal()).collect()
}

fn uniform(count: usize, bound: f32, stream: &mut Stream) -> Vec<f32> {
    (0..count).map(|_| stream.range(-bound, bound)).collect()
}

/// A random matrix (`rows`, `columns`) whose shorter side is orthogonal, times `gain`: uniform over
/// all such matrices, being the Q of a normal matrix whose R has a positive diagonal.
///
/// Modified Gram-Schmidt in float64. A normal matrix is conditioned well enough for one pass.
fn orthogonal(rows: usize, columns: usize, gain: f64, stream: &mut Stream) -> Vec<f32> {
    let (short, long) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> =
        (0..short).map(|_| (0..long).map(|_| f64::from(stream.normal())).collect()).collect();
    for i in 0..short {
        let (done, rest) = vectors.split_at_mut(i + 1);
        let Some(vector) = done.last_mut() else { continue };
        let norm = dot(vector, vector).sqrt().max(f64::MIN_POSITIVE);
        for x in vector.iter_mut() {
            *x /= norm;
        }
        rest.par_iter_mut().for_each(|other| {
            let shared = dot(other, vector);
            other.iter_mut().zip(vector.iter()).for_each(|(x, v)| *x -= shared * v);
        });
    }
    let at = |row: usize, column: usize| if rows <= columns { vectors[row][column] } else { vectors[column][row] };
    (0..rows * columns).map(|i| (gain * at(i / columns, i % columns)) as f32).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums side by side, so that the processor need not wait for one.
    let (a4, a_rest) = a.as_chunks::<4>();
    let (b4, b_rest) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in a4.iter().zip(b4) {
        for ((sum, x), y) in sums.iter_mut().zip(a).zip(b) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Layout;
    use crate::random::Purpose;

    fn key() -> Key {
        Key::new(7, Purpose::Init)
    }

    fn conv(dims: [usize; 4]) -> ParamDef {
        let window = dims[0] * dims[1];
        ParamDef::weight("weight", dims.to_vec(), Layout::Conv, (window * dims[2], window * dims[3]))
    }

    fn moments(values: &[f32]) -> (f64, f64, f32) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        (mean, variance, values.iter().fold(0.0, |most, x| x.abs().max(most)))
    }

    #[test]
    fn variances_are_those_of_the_papers() {
        let def = conv([3, 3, 64, 128]);
        let (fan_in, fan_out) = (576.0_f64, 1152.0_f64);
        for (init, expected, bound) in [
            (Init::Kaiming, 2.0 / fan_in, f64::INFINITY),
            (Init::Lecun, 1.0 / fan_in, f64::INFINITY),
            (Init::Xavier, 2.0 / (fan_in + fan_out), (6.0 / (fan_in + fan_out)).sqrt()),
            (Init::Uniform, 1.0 / (3.0 * fan_in), (1.0 / fan_in).sqrt()),
            (Init::Orthogonal, 2.0 / fan_in, f64::INFINITY),
        ] {
            let (mean, variance, most) = moments(&draw(&def, init, key()));
            // Six standard errors over 73728 values.
            assert!(mean.abs() < 6.0 * (expected / 73728.0).sqrt(), "{init:?}: mean {mean}");
            assert!((variance / expected - 1.0).abs() < 6.0 * (2.0 / 73728.0_f64).sqrt(), "{init:?}: {variance}");
            assert!(f64::from(most) <= bound * 1.000_001, "{init:?}: {most}");
        }
    }

    #[test]
    fn the_shorter_side_is_orthogonal() {
        for dims in [[3, 3, 8, 16], [1, 1, 8, 40], [3, 3, 1, 32], [1, 1, 24, 24], [1, 1, 1, 1]] {
            let def = conv(dims);
            let (out, rest) = (dims[3], dims[0] * dims[1] * dims[2]);
            let values = draw(&def, Init::Orthogonal, key());
            let at = |row: usize, column: usize| f64::from(values[row * out + column]);
            for i in 0..out.min(rest) {
                for j in 0..out.min(rest) {
                    let product: f64 = if out <= rest {
                        (0..rest).map(|k| at(k, i) * at(k, j)).sum()
                    } else {
                        (0..out).map(|k| at(i, k) * at(j, k)).sum()
                    };
                    let expected = if i == j { 2.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-5, "{dims:?} ({i}, {j}): {product}");
                }
            }
        }
    }

    #[test]
    fn only_weights_are_drawn() {
        for (role, value) in [
            (Role::Bias, 0.0),
            (Role::Shift, 0.0),
            (Role::RunningMean, 0.0),
            (Role::Scale, 1.0),
            (Role::RunningVariance, 1.0),
        ] {
            assert_eq!(draw(&ParamDef::vector("x", 5, role), Init::Uniform, key()), [value; 5], "{role:?}");
        }
    }

    #[test]
    fn the_same_key_draws_the_same_and_another_does_not() {
        for init in [Init::Kaiming, Init::Xavier, Init::Orthogonal, Init::Lecun, Init::Uniform] {
            let def = conv([3, 3, 4, 4]);
            assert_eq!(draw(&def, init, key().named("a")), draw(&def, init, key().named("a")));
            assert_ne!(draw(&def, init, key().named("a")), draw(&def, init, key().named("b")));
        }
    }
}
