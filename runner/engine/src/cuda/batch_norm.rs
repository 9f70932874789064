//! Batch normalization with the activation that follows it.

use super::super::{Activation, BatchStatistics, Cuda, EngineError, Normalization, Result, Tape, Tensor};
use super::activation::number;
use super::buffer::{Flow, Slot, named, written};
use super::gpu::{Place, Run, Values, gpu};
use super::lanes::Lanes;

/// Rows that a thread adds up at least, where sums are taken.
const SUMMED: usize = 16;
/// Rows that a thread writes at least.
const WRITTEN: usize = 4;

/// Where the gradients of a batch normalization go, and which of its parts they need.
struct Recorded {
    activation: Option<Activation>,
    /// (4, channels): mean, `1 / sqrt(variance + eps)`, scale times that, shift.
    affine: Values,
    /// Whether mean and variance are functions of the batch.
    by_batch: bool,
    rows: usize,
    channels: usize,
    x: Option<Tensor<Cuda>>,
    of_y: Slot,
    of_x: Option<Slot>,
    of_scale: Option<Slot>,
    of_shift: Option<Slot>,
}

/// See [`super::super::Kernels::batch_norm_inference`].
pub fn batch_norm_inference(
    tape: &mut Tape<Cuda>,
    x: &Tensor<Cuda>,
    norm: &Normalization<Cuda>,
    activation: Option<Activation>,
) -> Result<Tensor<Cuda>> {
    check(x, &[norm.scale, norm.shift, norm.mean, norm.variance])?;
    let affine = named("batch_norm", given(norm))?;
    normalize(tape, x, norm.scale, norm.shift, affine, activation, false)
}

/// See [`super::super::Kernels::batch_norm_training`].
pub fn batch_norm_training(
    tape: &mut Tape<Cuda>,
    x: &Tensor<Cuda>,
    scale: &Tensor<Cuda>,
    shift: &Tensor<Cuda>,
    eps: f32,
    activation: Option<Activation>,
) -> Result<(Tensor<Cuda>, BatchStatistics<Cuda>)> {
    let channels = check(x, &[scale, shift])?;
    let mean = Tensor::zeros(x.device(), &[channels])?;
    let variance = Tensor::zeros(x.device(), &[channels])?;
    let affine = named("batch_norm", of_batch(x, [scale, shift], [&mean, &variance], eps))?;
    let y = normalize(tape, x, scale, shift, affine, activation, true)?;
    Ok((y, BatchStatistics { mean, variance, count: x.len() / channels }))
}

fn check(x: &Tensor<Cuda>, parameters: &[&Tensor<Cuda>]) -> Result<usize> {
    let channels = x.dims().last().copied().unwrap_or(0);
    if channels > 0 && !x.is_empty() && parameters.iter().all(|parameter| parameter.len() == channels) {
        return Ok(channels);
    }
    let shapes = std::iter::once(x).chain(parameters.iter().copied()).map(|t| t.dims().to_vec()).collect();
    Err(EngineError::Shapes { operation: "batch_norm", shapes })
}

/// The affine map of given statistics.
pub fn given(norm: &Normalization<Cuda>) -> Run<Values> {
    let (gpu, channels) = (gpu()?, norm.scale.len());
    let affine = gpu.room(4 * channels)?;
    let [mean, variance] = [norm.mean.place()?, norm.variance.place()?];
    let [scale, shift] = [norm.scale.place()?, norm.shift.place()?];
    let operands = [Place::of(&affine), mean, variance, scale, shift].map(Into::into);
    let numbers = [norm.eps.into(), (channels as i32).into()];
    gpu.each("affine_given", channels, &[&operands[..], &numbers].concat())?;
    Ok(affine)
}

/// The affine map of a batch's statistics, which are written.
fn of_batch(
    x: &Tensor<Cuda>,
    [scale, shift]: [&Tensor<Cuda>; 2],
    [mean, variance]: [&Tensor<Cuda>; 2],
    eps: f32,
) -> Run<Values> {
    let (gpu, channels) = (gpu()?, scale.len());
    let rows = x.len() / channels;
    let lanes = Lanes::over(rows, channels, SUMMED);
    let parts = gpu.room(lanes.splits() * 2 * channels)?;
    let kernel = lanes.named(["moments1", "moments4"]);
    let operands = [Place::of(&parts).into(), x.place()?.into(), (rows as i32).into(), (channels as i32).into()];
    gpu.launch(kernel, lanes.grid(1), lanes.threads, lanes.shared(2), &operands)?;
    let affine = gpu.room(4 * channels)?;
    let places = [Place::of(&affine), mean.place()?, variance.place()?, Place::of(&parts), x.place()?];
    let places = places.into_iter().chain([scale.place()?, shift.place()?]).map(Into::into);
    let counts = [lanes.splits(), rows, channels].map(|count| (count as i32).into());
    let operands: Vec<_> = places.chain([eps.into()]).chain(counts).collect();
    gpu.launch("affine_of_batch", [channels.div_ceil(32), 1, 1], [32, 32], 0, &operands)?;
    Ok(affine)
}

/// `y = activation((x - mean) * factor + shift + residual)`, in one pass; `y` may be `x`.
pub fn apply(
    y: Place,
    x: Place,
    affine: &Values,
    residual: Option<Place>,
    [rows, channels]: [usize; 2],
    activation: Option<Activation>,
) -> Run<()> {
    let lanes = Lanes::over(rows, channels, WRITTEN);
    let places = [y, x, Place::of(affine), residual.unwrap_or(Place::NONE)].map(Into::into);
    let numbers = [(rows as i32).into(), (channels as i32).into(), number(activation).into()];
    let kernel = lanes.named(["normalize1", "normalize4"]);
    gpu()?.launch(kernel, lanes.grid(1), lanes.threads, 0, &[&places[..], &numbers].concat())
}

fn normalize(
    tape: &mut Tape<Cuda>,
    x: &Tensor<Cuda>,
    scale: &Tensor<Cuda>,
    shift: &Tensor<Cuda>,
    affine: Values,
    activation: Option<Activation>,
    by_batch: bool,
) -> Result<Tensor<Cuda>> {
    let channels = scale.len();
    let rows = x.len() / channels;
    let y = written("batch_norm", x.device(), x.dims(), |_, y| {
        apply(y, x.place()?, &affine, None, [rows, channels], activation)
    })?;
    if !tape.records(&[x, scale, shift]) {
        return Ok(y);
    }
    // A frozen normalization without activation is linear in x: nothing of x is kept.
    let needs_x = activation.is_some() || by_batch || scale.wants_grad();
    let (y, of_y) = y.recorded();
    let recorded = Recorded {
        activation,
        affine,
        by_batch,
        rows,
        channels,
        x: needs_x.then(|| x.clone()),
        of_y,
        of_x: Slot::wanted(x),
        of_scale: Slot::wanted(scale),
        of_shift: Slot::wanted(shift),
    };
    tape.push(move |flow| recorded.backward(flow));
    Ok(y)
}

impl Recorded {
    fn backward(&self, flow: &mut Flow) -> Run<()> {
        let (gpu, channels) = (gpu()?, self.channels);
        let gy = self.of_y.take()?;
        let x = self.x.as_ref().map_or(Ok(Place::NONE), Tensor::place)?;
        let coefficients = gpu.room(2 * channels)?;
        if self.of_scale.is_some() || self.of_shift.is_some() || (self.by_batch && self.of_x.is_some()) {
            let (parts, splits) = self.sums(x, Place::of(&gy))?;
            let finish = |of_scale, of_shift| {
                let places = [Place::of(&coefficients), of_scale, of_shift, Place::of(&parts), Place::of(&self.affine)];
                let counts = [splits, self.rows, channels].map(|count| (count as i32).into());
                let operands = [&places.map(Into::into)[..], &counts, &[self.by_batch.into()]].concat();
                gpu.launch("norm_finish", [channels.div_ceil(32), 1, 1], [32, 32], 0, &operands)
            };
            let mut of_scale = Place::NONE;
            if let Some(slot) = &self.of_scale {
                slot.add(flow, |place| {
                    of_scale = place;
                    Ok(())
                })?;
            }
            match &self.of_shift {
                Some(slot) => slot.add(flow, |of_shift| finish(of_scale, of_shift))?,
                None => finish(of_scale, Place::NONE)?,
            }
        } else {
            gpu.clear(Place::of(&coefficients), 2 * channels)?;
        }
        let Some(slot) = &self.of_x else { return Ok(()) };
        slot.write(flow, |gx, add| self.input_gradient(gx, x, Place::of(&gy), Place::of(&coefficients), add))
    }

    /// Per channel and part, the sums of `g` and of `g * (x - mean) * inverse`, where `g` is the gradient before the
    /// activation.
    fn sums(&self, x: Place, gy: Place) -> Run<(Values, usize)> {
        let (gpu, lanes) = (gpu()?, Lanes::over(self.rows, self.channels, SUMMED));
        let parts = gpu.room(lanes.splits() * 2 * self.channels)?;
        let places = [Place::of(&parts), x, gy, Place::of(&self.affine)].map(Into::into);
        let operands = [&places[..], &self.numbers()].concat();
        gpu.launch(
            lanes.named(["norm_sums1", "norm_sums4"]),
            lanes.grid(1),
            lanes.threads,
            lanes.shared(2),
            &operands,
        )?;
        Ok((parts, lanes.splits()))
    }

    fn input_gradient(&self, gx: Place, x: Place, gy: Place, coefficients: Place, add: bool) -> Run<()> {
        let lanes = Lanes::over(self.rows, self.channels, WRITTEN);
        let places = [gx, x, gy, Place::of(&self.affine), coefficients].map(Into::into);
        let operands = [&places[..], &self.numbers(), &[add.into()]].concat();
        gpu()?.launch(lanes.named(["norm_input1", "norm_input4"]), lanes.grid(1), lanes.threads, 0, &operands)
    }

    fn numbers(&self) -> [super::gpu::Argument; 3] {
        [(self.rows as i32).into(), (self.channels as i32).into(), number(self.activation).into()]
    }
}
