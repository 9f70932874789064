//! Between the order of weight files and the order in memory.
//!
//! Frameworks order weights (out, in, rows, columns), memory has (rows, columns, in, out): output
//! channels innermost. A linear layer is the case of one row and one column; one that follows the
//! flattening of an image sees that image's rows and columns.

use crate::layers::{Layout, ParamDef};
use rayon::prelude::*;

/// The shape that a framework's weight file gives this parameter.
pub fn file_dims(def: &ParamDef) -> Vec<usize> {
    let reversed = || def.dims.iter().rev().copied().collect();
    match def.layout {
        Layout::Plain => def.dims.clone(),
        Layout::Linear | Layout::LinearAfterFlatten { .. } => reversed(),
        Layout::Conv => match def.dims[..] {
            [rows, columns, input, output] => vec![output, input, rows, columns],
            _ => reversed(),
        },
    }
}

/// Values in file order, put into memory order. As many as the parameter has.
pub fn to_memory(def: &ParamDef, values: &[f32]) -> Vec<f32> {
    match window(def) {
        None => values.to_vec(),
        // (out, in, positions) to (positions, in, out).
        Some([positions, input, output]) => swap_ends(values, [output, input, positions]),
    }
}

/// Values in memory order, put into file order. As many as the parameter has.
pub fn to_file(def: &ParamDef, values: &[f32]) -> Vec<f32> {
    match window(def) {
        None => values.to_vec(),
        Some([positions, input, output]) => swap_ends(values, [positions, input, output]),
    }
}

/// A weight in memory as (positions of the window, in, out); `None` where files have the same order.
fn window(def: &ParamDef) -> Option<[usize; 3]> {
    match (def.layout, &def.dims[..]) {
        (Layout::Conv, &[rows, columns, input, output]) => Some([rows * columns, input, output]),
        (Layout::Linear, &[input, output]) => Some([1, input, output]),
        (Layout::LinearAfterFlatten { height, width, channels }, &[_, output]) => {
            Some([height * width, channels, output])
        }
        _ => None,
    }
}

/// Transposes (a, b, c) to (c, b, a).
fn swap_ends(values: &[f32], [a, b, c]: [usize; 3]) -> Vec<f32> {
    let mut swapped = vec![0.0; values.len()];
    swapped.par_chunks_mut((a * b).max(1)).enumerate().for_each(|(k, rows)| {
        for (j, row) in rows.chunks_mut(a.max(1)).enumerate() {
            let column = values.iter().skip(j * c + k).step_by((b * c).max(1));
            row.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
        }
    });
    swapped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weight(dims: Vec<usize>, layout: Layout) -> ParamDef {
        ParamDef::weight("weight", dims, layout, (1, 1))
    }

    fn any_weight() -> impl Strategy<Value = ParamDef> {
        (0..4_usize, 1..6_usize, 1..5_usize, 1..7_usize, 1..8_usize).prop_map(|(kind, h, w, i, o)| match kind {
            0 => weight(vec![o], Layout::Plain),
            1 => weight(vec![h, w, i, o], Layout::Conv),
            2 => weight(vec![i, o], Layout::Linear),
            _ => weight(vec![h * w * i, o], Layout::LinearAfterFlatten { height: h, width: w, channels: i }),
        })
    }

    fn numbered(def: &ParamDef) -> Vec<f32> {
        (0..def.count()).map(|i| i as f32).collect()
    }

    proptest! {
        #[test]
        fn there_and_back_is_where_it_was(def in any_weight()) {
            let values = numbered(&def);
            prop_assert_eq!(file_dims(&def).iter().product::<usize>(), def.count());
            prop_assert_eq!(to_file(&def, &to_memory(&def, &values)), values.clone());
            prop_assert_eq!(to_memory(&def, &to_file(&def, &values)), values);
        }

        #[test]
        fn a_convolution_tap_goes_where_it_belongs(
            (h, w, i, o) in (1..5_usize, 1..5_usize, 1..5_usize, 1..5_usize),
            pick in any::<[prop::sample::Index; 4]>(),
        ) {
            let def = weight(vec![h, w, i, o], Layout::Conv);
            prop_assert_eq!(file_dims(&def), vec![o, i, h, w]);
            let memory = to_memory(&def, &numbered(&def));
            let (y, x, c, k) = (pick[0].index(h), pick[1].index(w), pick[2].index(i), pick[3].index(o));
            let in_file = ((k * i + c) * h + y) * w + x;
            prop_assert_eq!(memory[((y * w + x) * i + c) * o + k], in_file as f32);
        }

        #[test]
        fn a_classifier_after_a_flatten_reads_the_same_pixels(
            (h, w, c, o) in (1..5_usize, 1..5_usize, 1..5_usize, 1..5_usize),
            pick in any::<[prop::sample::Index; 4]>(),
        ) {
            let def = weight(vec![h * w * c, o], Layout::LinearAfterFlatten { height: h, width: w, channels: c });
            prop_assert_eq!(file_dims(&def), vec![o, c * h * w]);
            let memory = to_memory(&def, &numbered(&def));
            let (y, x, channel, k) = (pick[0].index(h), pick[1].index(w), pick[2].index(c), pick[3].index(o));
            let in_file = k * c * h * w + (channel * h + y) * w + x;
            prop_assert_eq!(memory[((y * w + x) * c + channel) * o + k], in_file as f32);
        }
    }

    #[test]
    fn a_linear_weight_is_transposed() {
        let def = weight(vec![3, 2], Layout::Linear);
        assert_eq!(file_dims(&def), [2, 3]);
        assert_eq!(to_memory(&def, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }
}
