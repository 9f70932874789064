//! Every set that this processor has, against the portable one.

use super::{Inputs, Instructions, OutRows, Simd, Weights, WithSimd};

/// Numbers between -1 and 1 that no pattern fits.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn every_tile_of_every_set_is_the_sum_of_its_terms() {
    const LENGTH: usize = 7;
    const TAPS: usize = 3;
    for set in Instructions::available() {
        let tiles = set.tiles();
        for vectors in 1..=4 {
            for rows in 1..=tiles.most_rows(vectors) {
                let width = vectors * tiles.lanes;
                let (values, factors) = (numbers(TAPS * rows * LENGTH, 1), numbers(TAPS * LENGTH * width, 2));
                // With whole rows, and with one column less than the vectors have.
                for (columns, add) in [(width, false), (width, true), (width - 1, false), (width - 1, true)] {
                    let (mut inputs, mut weights) = (Inputs::new(LENGTH, 1), Weights::new(width, LENGTH));
                    values.chunks(LENGTH).for_each(|row| inputs.push(row));
                    factors.chunks(LENGTH * width).for_each(|of_tap| weights.push(of_tap));
                    let before = numbers(rows * columns, 3);
                    let mut found = before.clone();
                    let mut out = OutRows::new(columns, found.chunks_mut(columns));
                    tiles.compute(&inputs, 0..TAPS * rows, &weights, &mut out, add);
                    for (at, (found, before)) in found.iter().zip(&before).enumerate() {
                        let (row, column) = (at / columns, at % columns);
                        let term = |index: usize| {
                            let (tap, k) = (index / LENGTH, index % LENGTH);
                            let weight = factors[(tap * LENGTH + k) * width + column];
                            f64::from(values[(tap * rows + row) * LENGTH + k]) * f64::from(weight)
                        };
                        let start = if add { f64::from(*before) } else { 0.0 };
                        let exact = (0..TAPS * LENGTH).map(term).sum::<f64>() + start;
                        let off = (f64::from(*found) - exact).abs();
                        assert!(off < 2e-6, "{} {rows}x{vectors} [{row}, {column}] is off by {off}", set.name());
                    }
                }
            }
        }
    }
}

#[test]
fn a_panel_holds_the_inputs_of_all_rows_side_by_side() {
    for set in Instructions::available() {
        let tiles = set.tiles();
        let (rows, length) = (tiles.most_rows(1), 5);
        let (panel, factors) = (numbers(rows * length, 1), numbers(length * tiles.lanes, 2));
        let (mut inputs, mut weights) = (Inputs::new(length, rows), Weights::new(tiles.lanes, length));
        inputs.push_panel(rows, &panel);
        weights.push(&factors);
        let mut found = vec![0.0; rows * tiles.lanes];
        let mut out = OutRows::new(tiles.lanes, found.chunks_mut(tiles.lanes));
        tiles.compute(&inputs, 0..rows, &weights, &mut out, false);
        for (at, found) in found.iter().enumerate() {
            let (row, lane) = (at / tiles.lanes, at % tiles.lanes);
            let exact: f32 = (0..length).map(|k| panel[k * rows + row] * factors[k * tiles.lanes + lane]).sum();
            assert!((found - exact).abs() < 1e-6, "{}", set.name());
        }
    }
}

/// `sum of a * b + c`, some lanes of it.
struct Arithmetic<'a>(&'a [f32]);

impl WithSimd for Arithmetic<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<f32> {
        let mut out = vec![0.0; self.0.len()];
        for (numbers, out) in self.0.chunks_exact(S::LANES).zip(out.chunks_exact_mut(S::LANES)) {
            let vector = simd.read(numbers);
            simd.write(out, simd.mul_add(vector, simd.splat(0.5), simd.add(vector, simd.splat(2.0))));
        }
        out
    }
}

#[test]
fn arithmetic_is_that_of_the_portable_set() {
    let numbers = numbers(64, 7);
    for set in Instructions::available() {
        let found = set.dispatch(Arithmetic(&numbers));
        for (found, number) in found.iter().zip(&numbers) {
            assert!((found - (number * 0.5 + number + 2.0)).abs() < 1e-6, "{}", set.name());
        }
    }
}

#[test]
fn a_set_is_forced_by_name_and_an_unknown_name_is_let_go() {
    for set in Instructions::available() {
        assert_eq!(super::choose(Some(set.name().into())).name(), set.name());
    }
    let widest = Instructions::available()[0].name();
    for name in [None, Some(String::new()), Some("sse9".into())] {
        assert_eq!(super::choose(name).name(), widest);
    }
}
