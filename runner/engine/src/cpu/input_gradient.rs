//! The gradient to the input of a convolution: sweeps over the gradient of its output.

use super::super::winograd::Winograd;
use super::packed::{Layout, Packed};
use super::plane::Plane;
use super::simd::Instructions;
use super::sweep::{Source, Sweep, Tap, Target};

impl Plane {
    /// Writes the gradient to the input, whose pixels must not overlap, to `gx`, or adds it.
    ///
    /// It is the same sum seen from the other side. With a stride the pixels of each remainder by it
    /// see taps of their own, so that each remainder is one sweep (Dumoulin and Visin 2016).
    pub fn input_gradient(&self, weight: &[f32], gy: &[f32], gx: &mut [f32], add: bool) {
        if !self.input_gradient_by_winograd(Winograd::chosen(), weight, gy, gx, add) {
            self.input_gradient_as_is(weight, gy, gx, add);
        }
    }

    /// Tap by tap.
    pub(super) fn input_gradient_as_is(&self, weight: &[f32], gy: &[f32], gx: &mut [f32], add: bool) {
        let tiles = Instructions::chosen().tiles();
        let all = self.all_outputs();
        for group in 0..self.groups {
            let layout = Layout { first: group * self.outputs, tap: self.inputs * all, row: 1, column: all };
            let weights = Packed::new(weight, layout, self.taps(), self.outputs, self.inputs, tiles);
            let source = Source {
                values: gy,
                size: self.output,
                pixel: all,
                line: self.output[1] * all,
                channel: group * self.outputs,
                step: [1, 1],
            };
            for down in 0..self.stride[0].min(self.size[0]) {
                for across in 0..self.stride[1].min(self.size[1]) {
                    let first = [down, across];
                    let taps = self.taps_from(first);
                    if taps.is_empty() && add {
                        continue;
                    }
                    let target = Target {
                        size: self.size,
                        first,
                        step: self.stride,
                        pixel: self.pixel,
                        channel: group * self.inputs,
                        add,
                    };
                    let grid = [0, 1].map(|axis| (self.size[axis] - first[axis]).div_ceil(self.stride[axis]));
                    Sweep { batch: self.batch, grid, taps, source, target, weights: &weights }.run(gx, None);
                }
            }
        }
    }

    /// The taps that lie over the pixels from `first` on, a stride apart, and from which outputs.
    fn taps_from(&self, first: [usize; 2]) -> Vec<Tap> {
        let from = |axis: usize, tap: usize| {
            let at = (first[axis] + self.before[axis]) as isize - (tap * self.dilation[axis]) as isize;
            let stride = self.stride[axis] as isize;
            (at.rem_euclid(stride) == 0).then(|| at.div_euclid(stride))
        };
        let tap = |tap: usize| {
            Some(Tap { weights: tap, at: [from(0, tap / self.kernel[1])?, from(1, tap % self.kernel[1])?] })
        };
        (0..self.taps()).filter_map(tap).collect()
    }
}
