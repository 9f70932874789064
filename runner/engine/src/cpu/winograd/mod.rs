//! Convolution by 3x3 windows with fewer multiplications (Lavin and Gray 2016).
//!
//! Squares of outputs are computed at a time. The pixels under each and the weights are transformed, so
//! that the convolution becomes one product of matrices a place of the transformed square; then the
//! products are transformed back. With few channels a task takes a few squares from the first step to the
//! last, so that what lies between stays in the second-level cache. With many it would read all weights
//! for a handful of squares: there each step is done for many squares before the next.

mod squares;
mod transform;

use super::super::winograd::Winograd;
use super::packed::{Layout, Packed};
use super::plane::Plane;
use super::scratch::{Scratch, Shared};
use super::simd::Instructions;
use super::sweep::{Finish, Source, Target};
use super::weight::{Pack, Weight};
use rayon::prelude::*;
use squares::{Few, Square};
use std::marker::PhantomData;
use std::ops::Range;
use transform::{F2, F4, Transform, transform_weights};

/// Values of the transformed squares of a task.
const VALUES: usize = 128 << 10;
/// Squares of a task, at most.
const SQUARES: usize = 48;
/// With more transformed weights, each step is done for many squares before the next.
const WEIGHTS: usize = 1 << 20;
/// Values of the squares that are between two steps then.
const ROUND: usize = 8 << 20;
/// With more pixels, transforming the weights anew for each batch takes no time that counts.
const FEW_PIXELS: usize = 1024;
/// Fewer channels do not repay the transforms.
const LEAST_CHANNELS: usize = 16;
/// Smaller images have too many squares that stick out.
const LEAST_SIZE: usize = 8;

impl Plane {
    /// Whether a convolution like this one is computed so. It depends on the layer alone.
    fn saves_multiplications(&self) -> bool {
        self.kernel == [3, 3]
            && self.stride == [1, 1]
            && self.dilation == [1, 1]
            && self.inputs.min(self.outputs) >= LEAST_CHANNELS
            && self.output.iter().all(|&size| size >= LEAST_SIZE)
    }

    /// Writes the convolution to `y`, or says that it is not computed so.
    pub fn forward_by_winograd(
        &self,
        choice: Winograd,
        x: &[f32],
        weight: Weight,
        y: &mut [f32],
        finish: Option<&Finish>,
    ) -> bool {
        if !self.saves_multiplications() {
            return false;
        }
        match choice {
            Winograd::Off => return false,
            Winograd::F2 => self.forward_squares::<F2, 4, 2>(x, weight, y, finish),
            Winograd::F4 => self.forward_squares::<F4, 6, 4>(x, weight, y, finish),
        }
        true
    }

    fn forward_squares<T: Transform<A, M>, const A: usize, const M: usize>(
        &self,
        x: &[f32],
        weight: Weight,
        y: &mut [f32],
        finish: Option<&Finish>,
    ) {
        let layout = |group| self.forward_of(group).0;
        let pack = |pack: Pack| self.transform::<T, A, M>(weight.values, false, layout, pack);
        let keeps = self.batch * self.output[0] * self.output[1] <= FEW_PIXELS;
        let packed = weight.packed(keeps, |packed| packed.is_of(A * A, self.inputs), pack);
        self.squares::<T, A, M>(x, &packed, |group| (self.forward_of(group).1, group * self.inputs), y, finish);
    }

    /// Writes the gradient to the input to `gx`, or adds it, or says that it is not computed so.
    pub fn input_gradient_by_winograd(
        &self,
        choice: Winograd,
        weight: &[f32],
        gy: &[f32],
        gx: &mut [f32],
        add: bool,
    ) -> bool {
        let all = self.all_outputs();
        let (Some(above), Some(left)) = (2_usize.checked_sub(self.before[0]), 2_usize.checked_sub(self.before[1]))
        else {
            return false;
        };
        let seen_back = Plane {
            size: self.output,
            output: self.size,
            before: [above, left],
            pixel: all,
            line: self.output[1] * all,
            inputs: self.outputs,
            outputs: self.inputs,
            ..*self
        };
        if !seen_back.saves_multiplications() {
            return false;
        }
        match choice {
            Winograd::Off => return false,
            Winograd::F2 => self.input_gradient_squares::<F2, 4, 2>(&seen_back, weight, gy, gx, add),
            Winograd::F4 => self.input_gradient_squares::<F4, 6, 4>(&seen_back, weight, gy, gx, add),
        }
        true
    }

    fn input_gradient_squares<T: Transform<A, M>, const A: usize, const M: usize>(
        &self,
        seen_back: &Plane,
        weight: &[f32],
        gy: &[f32],
        gx: &mut [f32],
        add: bool,
    ) {
        let (row, all) = (1, self.all_outputs());
        let layout = |group| Layout { first: group * self.outputs, tap: self.inputs * all, row, column: all };
        let packed = seen_back.transform::<T, A, M>(weight, true, layout, Packed::new);
        let of_group = |group| {
            let (size, pixel, channel) = (self.size, self.pixel, group * self.inputs);
            (Target { size, first: [0, 0], step: [1, 1], pixel, channel, add }, group * self.outputs)
        };
        seen_back.squares::<T, A, M>(gy, &packed, of_group, gx, None);
    }

    /// The transformed weights of each group; `layout` says where a group's are.
    fn transform<T: Transform<A, M>, const A: usize, const M: usize>(
        &self,
        weight: &[f32],
        flipped: bool,
        layout: impl Fn(usize) -> Layout,
        pack: Pack,
    ) -> Vec<Packed> {
        let transformed = transform_weights::<T, A, M>(weight, flipped);
        let tiles = Instructions::chosen().tiles();
        let of = |group| pack(&transformed, layout(group), A * A, self.inputs, self.outputs, tiles);
        (0..self.groups).map(of).collect()
    }

    /// Goes over all squares of all groups. `of_group` says where the outputs of a group go, and which is its first
    /// input channel.
    fn squares<T: Transform<A, M>, const A: usize, const M: usize>(
        &self,
        x: &[f32],
        packed: &[Packed],
        of_group: impl Fn(usize) -> (Target, usize),
        y: &mut [f32],
        finish: Option<&Finish>,
    ) {
        let y = &Shared::new(y);
        for (group, weights) in packed.iter().enumerate() {
            let (target, channel) = of_group(group);
            let source =
                Source { values: x, size: self.size, pixel: self.pixel, line: self.line, channel, step: [M, M] };
            let group = Group { plane: self, weights, source, target, y, finish, transform: PhantomData::<T> };
            if A * A * self.inputs * self.outputs <= WEIGHTS { group.by_task() } else { group.by_place() }
        }
    }
}

/// The squares of a group of channels.
struct Group<'a, T, const A: usize, const M: usize> {
    plane: &'a Plane,
    weights: &'a Packed,
    source: Source<'a>,
    target: Target,
    y: &'a Shared<'a>,
    finish: Option<&'a Finish<'a>>,
    transform: PhantomData<T>,
}

impl<T: Transform<A, M>, const A: usize, const M: usize> Group<'_, T, A, M> {
    /// Few squares a task, from the pixels to the outputs.
    fn by_task(&self) {
        let Plane { inputs, outputs, .. } = *self.plane;
        let most = VALUES / (A * A * (inputs + outputs));
        let per_task = (most / 6 * 6).clamp(6, SQUARES);
        (0..self.count().div_ceil(per_task)).into_par_iter().for_each(|task| {
            let few = self.few(task * per_task..(task + 1) * per_task);
            let mut pixels = Scratch::new(A * A * few.squares.len() * inputs);
            let mut products = Scratch::new(A * A * few.squares.len() * outputs);
            few.forth::<T, A, M>(&mut pixels);
            few.multiply(0..A * A, self.weights, &pixels, &mut products);
            few.back::<T, A, M>(&products, self.y, self.finish);
        });
    }

    /// Many squares at each step, and one place of them a task: so the weights of a place serve many squares.
    fn by_place(&self) {
        let Plane { inputs, outputs, .. } = *self.plane;
        let values = A * A * SQUARES * (inputs + outputs);
        let per_round = SQUARES * (ROUND / values).max(1);
        for first in (0..self.count()).step_by(per_round) {
            let end = (first + per_round).min(self.count());
            let fews: Vec<Few> =
                (first..end).step_by(SQUARES).map(|at| self.few(at..(at + SQUARES).min(end))).collect();
            let mut pixels = Scratch::new(A * A * (end - first) * inputs);
            let mut products = Scratch::new(A * A * (end - first) * outputs);
            let few = || fews.par_iter();
            let of = |values: usize| A * A * SQUARES * values;
            few().zip(pixels.par_chunks_mut(of(inputs))).for_each(|(few, pixels)| few.forth::<T, A, M>(pixels));
            let shared = Shared::new(&mut products);
            (0..A * A * fews.len()).into_par_iter().for_each(|task| {
                let (place, number) = (task / fews.len(), task % fews.len());
                let count = fews[number].squares.len();
                let pixels = &pixels[number * of(inputs) + place * count * inputs..][..count * inputs];
                // SAFETY: a place of some squares is of one task alone.
                let products = unsafe { shared.slice(number * of(outputs) + place * count * outputs, count * outputs) };
                fews[number].multiply(place..place + 1, self.weights, pixels, products);
            });
            few().zip(products.par_chunks(of(outputs))).for_each(|(few, products)| {
                few.back::<T, A, M>(products, self.y, self.finish);
            });
        }
    }

    /// How many squares there are.
    fn count(&self) -> usize {
        self.plane.batch * self.grid().iter().product::<usize>()
    }

    /// Squares of an image, down and across.
    fn grid(&self) -> [usize; 2] {
        self.plane.output.map(|size| size.div_ceil(M))
    }

    /// Those of these squares that there are.
    fn few(&self, numbers: Range<usize>) -> Few<'_> {
        let Plane { inputs, outputs, before, .. } = *self.plane;
        let numbers = numbers.start..numbers.end.min(self.count());
        let squares = numbers.map(|number| Square::new(number, self.grid(), before, M)).collect();
        Few { squares, source: self.source, target: self.target, inputs, outputs }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::slide::{Convolution, Slide};
    use super::*;
    use crate::tests::check::normal;
    use crate::{Cpu, Padding, Tensor, Window};

    /// The largest difference, over the largest value.
    fn off(found: &[f32], expected: &[f32]) -> f32 {
        let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        found.iter().zip(expected).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs())) / largest
    }

    /// Compares a convolution by squares with the same tap by tap.
    fn check(dims: &[usize], outputs: usize, groups: usize, [top, left, bottom, right]: [usize; 4]) {
        let padding = Padding { top, left, bottom, right };
        let window = Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], padding };
        let slide = Slide::new("test", dims, &window).unwrap();
        let conv = Convolution { slide, groups, outputs };
        let plane = Plane::new(&conv);
        let x = normal(1, dims).1;
        let weight = normal(2, &[3, 3, dims[3] / groups, outputs]).1;
        let gy = normal(3, &conv.dims()).1;
        let mut expected = vec![0.0; gy.len()];
        plane.forward_as_is(&x, Weight::from(&weight[..]), &mut expected, None);
        let before = normal(4, dims).1;
        let mut expected_gx = before.clone();
        plane.input_gradient_as_is(&weight, &gy, &mut expected_gx, true);
        for (choice, tolerance) in [(Winograd::F2, 3e-6), (Winograd::F4, 5e-5)] {
            let mut y = vec![f32::NAN; gy.len()];
            assert!(plane.forward_by_winograd(choice, &x, Weight::from(&weight[..]), &mut y, None));
            assert!(off(&y, &expected) < tolerance, "{choice:?} {plane:?}: {}", off(&y, &expected));
            let mut gx = before.clone();
            assert!(plane.input_gradient_by_winograd(choice, &weight, &gy, &mut gx, true));
            assert!(off(&gx, &expected_gx) < tolerance, "{choice:?} {plane:?}: {}", off(&gx, &expected_gx));
        }
        assert!(!plane.forward_by_winograd(Winograd::Off, &x, Weight::from(&weight[..]), &mut expected, None));
    }

    #[test]
    fn outputs_and_gradients_are_those_of_sums_tap_by_tap() {
        for (number, padding) in [[1; 4], [0; 4], [0, 2, 1, 1], [2, 1, 2, 0]].into_iter().enumerate() {
            for (inputs, outputs, groups) in [(16, 16, 1), (37, 21, 1), (40, 64, 2), (130, 65, 1)] {
                check(&[3, 12 + number, 11, inputs], outputs, groups, padding);
            }
        }
    }

    #[test]
    fn with_many_channels_squares_go_step_by_step() {
        let (inputs, outputs) = (264, 256);
        assert!(16 * inputs * outputs > WEIGHTS);
        // More squares than a round has.
        check(&[30, 12, 11, inputs], outputs, 1, [1; 4]);
    }

    #[test]
    fn kept_weights_give_the_same_to_the_last_bit() {
        let dims = [2, 9, 8, 24];
        let window = Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], padding: Padding::symmetric(1, 1) };
        let conv = Convolution { slide: Slide::new("test", &dims, &window).unwrap(), groups: 1, outputs: 20 };
        let plane = Plane::new(&conv);
        let x = normal(1, &dims).1;
        let values = normal(2, &[3, 3, 24, 20]).1;
        let weight = Tensor::from_vec(&Cpu::default(), values.clone(), &[3, 3, 24, 20]).unwrap();
        let [mut kept, mut anew] = [(); 2].map(|()| vec![0.0; conv.dims().iter().product()]);
        for choice in [Winograd::F2, Winograd::F4, Winograd::F2] {
            plane.forward_by_winograd(choice, &x, Weight::constant(&weight), &mut kept, None);
            plane.forward_by_winograd(choice, &x, Weight::from(&values[..]), &mut anew, None);
            assert_eq!(kept, anew, "{choice:?}");
        }
    }
}
