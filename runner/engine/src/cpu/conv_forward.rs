//! Convolution forward: one sweep of its window a group.

use super::super::winograd::Winograd;
use super::packed::Layout;
use super::plane::Plane;
use super::simd::Instructions;
use super::sweep::{Finish, Source, Sweep, Tap, Target};
use super::weight::{Pack, Weight};

/// With more pixels than this, laying out the weights anew for each batch takes no time that counts.
const FEW_PIXELS: usize = 512;

impl Plane {
    /// Writes the convolution of `x` with `weight` to `y`.
    pub fn forward(&self, x: &[f32], weight: Weight, y: &mut [f32], finish: Option<&Finish>) {
        if self.forward_by_winograd(Winograd::chosen(), x, weight, y, finish) {
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

    /// Tap by tap.
    pub(super) fn forward_as_is(&self, x: &[f32], weight: Weight, y: &mut [f32], finish: Option<&Finish>) {
        let tiles = Instructions::chosen().tiles();
        let pack = |pack: Pack| {
            let of =
                |group| pack(weight.values, self.forward_of(group).0, self.taps(), self.inputs, self.outputs, tiles);
            (0..self.groups).map(of).collect()
        };
        let keeps = self.batch * self.output[0] * self.output[1] <= FEW_PIXELS;
        let packed = weight.packed(keeps, |packed| packed.is_of(self.taps(), self.inputs), pack);
        for (group, weights) in packed.iter().enumerate() {
            let (_, target) = self.forward_of(group);
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
