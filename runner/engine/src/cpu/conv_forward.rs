//! Convolution forward: one sweep of its window a group.

use super::super::tensor::Made;
use super::super::winograd::Winograd;
use super::super::{Cpu, Tensor};
use super::packed::{Layout, Packed};
use super::plane::Plane;
use super::simd::Instructions;
use super::sweep::{Finish, Source, Sweep, Tap, Target};

/// With more pixels than this, laying out the weights anew for each batch takes no time that counts.
const FEW_PIXELS: usize = 512;

/// The weights of a convolution.
#[derive(Clone, Copy)]
pub struct Weight<'a> {
    values: &'a [f32],
    /// Where their layout is kept until they change; nowhere if they do with each batch.
    made: Option<&'a Made>,
}

impl<'a> Weight<'a> {
    /// Weights that stay the same from batch to batch.
    pub fn constant(tensor: &'a Tensor<Cpu>) -> Self {
        Weight { values: tensor.values(), made: Some(tensor.made()) }
    }

    /// Weights that train.
    pub fn training(tensor: &'a Tensor<Cpu>) -> Self {
        Weight::from(tensor.values())
    }
}

impl<'a> From<&'a [f32]> for Weight<'a> {
    fn from(values: &'a [f32]) -> Self {
        Weight { values, made: None }
    }
}

impl Plane {
    /// Writes the convolution of `x` with `weight` to `y`.
    pub fn forward(&self, x: &[f32], weight: Weight, y: &mut [f32], finish: Option<&Finish>) {
        if self.forward_by_winograd(Winograd::chosen(), x, weight.values, y, finish) {
            return;
        }
        match self.row_by_row() {
            Some(rows) => rows.forward_as_is(&self.pad(x), weight, y, finish),
            None => self.forward_as_is(x, weight, y, finish),
        }
    }

    /// How a group's weights lie, and where its sums go.
    pub(super) fn forward_of(&self, group: usize) -> (Layout, Target) {
        let all = self.all_outputs();
        let layout = Layout { first: group * self.outputs, tap: self.inputs * all, row: all, column: 1 };
        let target = Target {
            size: self.output,
            first: [0, 0],
            step: [1, 1],
            pixel: all,
            channel: group * self.outputs,
            add: false,
        };
        (layout, target)
    }

    /// The layout of each group's weights, where it is kept from batch to batch.
    fn kept<'a>(&self, weight: Weight<'a>) -> Option<&'a Vec<Packed>> {
        let made = weight.made.filter(|_| self.batch * self.output[0] * self.output[1] <= FEW_PIXELS)?;
        let tiles = Instructions::chosen().tiles();
        let pack = |group: usize| {
            let (layout, _) = self.forward_of(group);
            Packed::lasting(weight.values, layout, self.taps(), self.inputs, self.outputs, tiles)
        };
        let kept: &Vec<Packed> = made.get_or(|| (0..self.groups).map(pack).collect())?;
        let fits = kept.len() == self.groups && kept.iter().all(|kept| kept.is_of(self.taps(), self.inputs));
        fits.then_some(kept)
    }

    /// Tap by tap.
    pub(super) fn forward_as_is(&self, x: &[f32], weight: Weight, y: &mut [f32], finish: Option<&Finish>) {
        let tiles = Instructions::chosen().tiles();
        let kept = self.kept(weight);
        for group in 0..self.groups {
            let (layout, target) = self.forward_of(group);
            let pack = || Packed::new(weight.values, layout, self.taps(), self.inputs, self.outputs, tiles);
            let own = kept.is_none().then(pack);
            let Some(weights) = kept.and_then(|kept| kept.get(group)).or(own.as_ref()) else { continue };
            let source = Source {
                values: x,
                size: self.size,
                pixel: self.pixel,
                line: self.line,
                channel: group * self.inputs,
                step: self.stride,
            };
            let along = |axis: usize, tap: usize| (tap * self.dilation[axis]) as isize - self.before[axis] as isize;
            let tap =
                |tap: usize| Tap { weights: tap, at: [along(0, tap / self.kernel[1]), along(1, tap % self.kernel[1])] };
            let taps = (0..self.taps()).map(tap).collect();
            Sweep { batch: self.batch, grid: self.output, taps, source, target, weights }.run(y, finish);
        }
    }
}
