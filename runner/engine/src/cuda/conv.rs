//! Convolution: products with matrices, by cuBLAS where pixels are rows as they lie, else by tiles (see `implicit`), or where
//! those cannot be, with pixels laid out as columns, some images at a time.

use super::super::slide::Convolution;
use super::super::{Activation, Cuda, EngineError, Normalization, Precision, Result, Tape, Tensor, Window};
use super::batch_norm;
use super::buffer::{named, record, written};
use super::depthwise;
use super::geometry::Geometry;
use super::gpu::{Gpu, Place, Run, Values};
use super::implicit::Implicit;
use super::linear::multiply;
use super::product::Matrix;

/// Values of columns that are laid out at once: half a gigabyte.
const MOST_COLUMNS: usize = 1 << 27;

/// See [`super::super::Kernels::conv2d`].
pub fn conv2d(
    tape: &mut Tape<Cuda>,
    x: &Tensor<Cuda>,
    weight: &Tensor<Cuda>,
    window: &Window,
    groups: usize,
) -> Result<Tensor<Cuda>> {
    let conv = Convolution::new(x, weight, window, groups)?;
    if conv.is_depthwise() {
        return depthwise::conv2d(tape, x, weight, conv.slide);
    }
    let tiled = Implicit::of(&conv);
    // cuBLAS is faster but for products in 32 bits, where it uses no tensor cores.
    let by_cublas = Precision::chosen() == Precision::Tf32 || tiled.is_none();
    if window.is_pointwise() && groups == 1 && by_cublas {
        return multiply(tape, x, weight, [conv.slide.rows(), conv.slide.channels, conv.outputs], &conv.dims());
    }
    let plan = Plan::new(&conv);
    let y =
        written("conv2d", x.device(), &conv.dims(), |gpu, y| plan.forward(gpu, x.place()?, weight.place()?, y, false))?;
    let weight_gradient = move |gpu: &Gpu, x: Place, gy: Place, gw: Place| plan.add_weight_gradient(gpu, x, gy, gw);
    Ok(record(tape, y, [x, weight], weight_gradient, move |gpu, weight, gy, gx, add| {
        plan.input_gradient(gpu, weight, gy, gx, add)
    }))
}

/// See [`super::super::Kernels::conv2d_batch_norm`]; nothing is recorded. What follows the convolution is done in one
/// pass over its result, in place.
pub fn conv2d_batch_norm(
    x: &Tensor<Cuda>,
    weight: &Tensor<Cuda>,
    window: &Window,
    groups: usize,
    norm: &Normalization<Cuda>,
    residual: Option<&Tensor<Cuda>>,
    activation: Option<Activation>,
) -> Result<Tensor<Cuda>> {
    let y = conv2d(&mut Tape::off(super::super::KernelSet::Fast), x, weight, window, groups)?;
    let channels = y.dims().last().copied().unwrap_or(0);
    let of_channels = [norm.scale, norm.shift, norm.mean, norm.variance];
    let fits = of_channels.iter().all(|tensor| tensor.len() == channels);
    if !fits || y.is_empty() || residual.is_some_and(|residual| residual.dims() != y.dims()) {
        let shapes = of_channels.into_iter().chain(residual).map(|tensor| tensor.dims().to_vec());
        let shapes = std::iter::once(y.dims().to_vec()).chain(shapes).collect();
        return Err(EngineError::Shapes { operation: "conv2d_batch_norm", shapes });
    }
    let finish = || {
        let affine = batch_norm::given(norm)?;
        let residual = residual.map(Tensor::place).transpose()?;
        batch_norm::apply(y.place()?, y.place()?, &affine, residual, [y.len() / channels, channels], activation)
    };
    named("conv2d_batch_norm", finish())?;
    Ok(y)
}

/// See [`super::super::Kernels::conv_transpose2d`]: the passes of the convolution that it is the transpose of, exchanged.
pub fn conv_transpose2d(
    tape: &mut Tape<Cuda>,
    x: &Tensor<Cuda>,
    weight: &Tensor<Cuda>,
    window: &Window,
    size: [usize; 2],
) -> Result<Tensor<Cuda>> {
    let conv = Convolution::transposed(x, weight, window, size)?;
    let plan = Plan::new(&conv);
    let y = written("conv_transpose2d", x.device(), &conv.input_dims(), |gpu, y| {
        plan.input_gradient(gpu, weight.place()?, x.place()?, y, false)
    })?;
    let weight_gradient = move |gpu: &Gpu, x: Place, gy: Place, gw: Place| plan.add_weight_gradient(gpu, gy, x, gw);
    Ok(record(tape, y, [x, weight], weight_gradient, move |gpu, weight, gy, gx, add| {
        plan.forward(gpu, gy, weight, gx, add)
    }))
}

/// How a convolution is taken apart into products.
#[derive(Clone, Copy)]
struct Plan {
    /// Without columns, where that can be.
    tiled: Option<Implicit>,
    conv: Convolution,
    geometry: Geometry,
    /// Values of a row of columns: taps times channels of a group, rounded up so that products are fast.
    width: usize,
    /// Of these, what counts.
    counting: usize,
    /// Images whose columns are laid out at once.
    images: usize,
    /// Channels that are moved at once: 4 or 1.
    wide: bool,
}

impl Plan {
    fn new(conv: &Convolution) -> Self {
        let counting = conv.slide.taps() * conv.group_inputs();
        let width = counting.next_multiple_of(4);
        let of_image = (conv.slide.pixels() * width).max(1);
        let images = (MOST_COLUMNS / of_image).clamp(1, conv.slide.batch.max(1));
        let wide = conv.group_inputs().is_multiple_of(4);
        Plan { tiled: Implicit::of(conv), conv: *conv, geometry: Geometry::of(conv), width, counting, images, wide }
    }

    /// `y` is the convolution of `x`, or it is added.
    fn forward(&self, gpu: &Gpu, x: Place, weight: Place, y: Place, add: bool) -> Run<()> {
        if let Some(tiled) = &self.tiled {
            return tiled.forward(gpu, x, weight, y, add);
        }
        let columns = self.room(gpu)?;
        let padded = self.padded(gpu, weight)?;
        let weight = padded.as_ref().map_or(weight, Place::of);
        let outputs = self.conv.outputs;
        self.each_part(|first, images, group| {
            let rows = images * self.conv.slide.pixels();
            self.lay_out(gpu, Place::of(&columns), x, first, images, group)?;
            let y = Matrix::new(self.of_outputs(y, first, group), outputs);
            let weight = Matrix::new(weight.after(group * self.conv.group_outputs()), outputs);
            let columns = Matrix::new(Place::of(&columns), self.width);
            gpu.product(y, columns, weight, [rows, self.width, self.conv.group_outputs()], add)
        })
    }

    fn add_weight_gradient(&self, gpu: &Gpu, x: Place, gy: Place, gw: Place) -> Run<()> {
        if let Some(tiled) = &self.tiled {
            return tiled.add_weight_gradient(gpu, x, gy, gw);
        }
        let columns = self.room(gpu)?;
        let outputs = self.conv.outputs;
        self.each_part(|first, images, group| {
            let rows = images * self.conv.slide.pixels();
            self.lay_out(gpu, Place::of(&columns), x, first, images, group)?;
            let gy = Matrix::new(self.of_outputs(gy, first, group), outputs);
            let gw = Matrix::new(gw.after(group * self.conv.group_outputs()), outputs);
            let columns = Matrix::new(Place::of(&columns), self.width);
            // What is beyond the taps is left out.
            gpu.product(gw, columns.turned(), gy, [self.counting, rows, self.conv.group_outputs()], true)
        })
    }

    /// `gx` is the gradient to the input, or it is added.
    fn input_gradient(&self, gpu: &Gpu, weight: Place, gy: Place, gx: Place, add: bool) -> Run<()> {
        if let Some(tiled) = &self.tiled {
            return tiled.input_gradient(gpu, weight, gy, gx, add);
        }
        let columns = self.room(gpu)?;
        let padded = self.padded(gpu, weight)?;
        let weight = padded.as_ref().map_or(weight, Place::of);
        let outputs = self.conv.outputs;
        self.each_part(|first, images, group| {
            let rows = images * self.conv.slide.pixels();
            let gy = Matrix::new(self.of_outputs(gy, first, group), outputs);
            let weight = Matrix::new(weight.after(group * self.conv.group_outputs()), outputs);
            let shape = [rows, self.conv.group_outputs(), self.width];
            gpu.product(Matrix::new(Place::of(&columns), self.width), gy, weight.turned(), shape, false)?;
            self.gather(gpu, gx, Place::of(&columns), first, images, group, add)
        })
    }

    fn room(&self, gpu: &Gpu) -> Run<Values> {
        gpu.room(self.images * self.conv.slide.pixels() * self.width)
    }

    /// The weights with rows of zeros, where columns have more values than count.
    fn padded(&self, gpu: &Gpu, weight: Place) -> Run<Option<Values>> {
        if self.width == self.counting {
            return Ok(None);
        }
        let (outputs, len) = (self.conv.outputs, self.counting * self.conv.outputs);
        let padded = gpu.room(self.width * outputs)?;
        gpu.copy(Place::of(&padded), weight, len)?;
        gpu.clear(Place::of(&padded).after(len), (self.width - self.counting) * outputs)?;
        Ok(Some(padded))
    }

    /// Calls `f` with some images (the first and how many) and a group, until all are done.
    fn each_part(&self, mut f: impl FnMut(usize, usize, usize) -> Run<()>) -> Run<()> {
        for first in (0..self.conv.slide.batch).step_by(self.images) {
            for group in 0..self.conv.groups {
                f(first, self.images.min(self.conv.slide.batch - first), group)?;
            }
        }
        Ok(())
    }

    fn of_outputs(&self, values: Place, image: usize, group: usize) -> Place {
        values.after(image * self.conv.slide.pixels() * self.conv.outputs + group * self.conv.group_outputs())
    }

    fn lay_out(&self, gpu: &Gpu, to: Place, x: Place, first: usize, images: usize, group: usize) -> Run<()> {
        let (pixels, inputs) = (self.conv.slide.pixels(), self.conv.group_inputs());
        let (first, rows) = (first * pixels, images * pixels);
        let places = [to.into(), x.into(), self.geometry.into(), first.into(), rows.into()];
        let numbers = [group * inputs, inputs, self.width].map(|number| (number as i32).into());
        let (name, len) = if self.wide { ("columns4", rows * self.width / 4) } else { ("columns1", rows * self.width) };
        gpu.each(name, len, &[&places[..], &numbers].concat())
    }

    #[allow(clippy::too_many_arguments)]
    fn gather(
        &self,
        gpu: &Gpu,
        gx: Place,
        from: Place,
        first: usize,
        images: usize,
        group: usize,
        add: bool,
    ) -> Run<()> {
        let inputs = self.conv.group_inputs();
        let places = [gx.into(), from.into(), self.geometry.into()];
        let numbers = [first, images, group * inputs, inputs, self.width].map(|number| (number as i32).into());
        let len = images * self.conv.slide.size[0] * self.conv.slide.size[1] * inputs;
        let (name, len) = if self.wide { ("pixels4", len / 4) } else { ("pixels1", len) };
        gpu.each(name, len, &[&places[..], &numbers, &[add.into()]].concat())
    }
}
