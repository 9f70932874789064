//! The memory of tensors and gradients on the GPU.

use super::super::tensor::{Flat, Passing};
use super::super::{Cuda, EngineError, Result, Tape, Tensor};
use super::gpu::{Gpu, Place, Run, Values, gpu, printed_place};
use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;
use dfdx::prelude::{CudaError, Gradients, ZerosTensor};
use std::cell::RefCell;

/// The memory that dfdx keeps a gradient in.
type Storage = <Cuda as dfdx::prelude::Storage<f32>>::Vec;

/// The gradients of a backward pass that is under way.
pub type Flow = Gradients<f32, Cuda>;

/// Puts an operation's name to a device's error.
pub fn named<T>(operation: &'static str, run: Run<T>) -> Result<T> {
    run.map_err(EngineError::device(operation))
}

impl Tensor<Cuda> {
    /// Where the values begin.
    pub(crate) fn place(&self) -> Run<Place> {
        let place = match self.buffer() {
            Some(buffer) => Some(Place::of(buffer)),
            None => printed_place(self.flat()).map(Place),
        };
        place.ok_or(CudaError::Driver(DriverError(CUresult::CUDA_ERROR_INVALID_HANDLE)))
    }

    /// The same, where they are to be changed. Clones of the tensor keep the old ones.
    pub(crate) fn place_mut(&mut self) -> Run<Place> {
        if !self.is_alone() {
            let (gpu, own) = (gpu()?, self.place()?);
            if self.buffer().is_some() {
                let copy = gpu.room(self.len())?;
                gpu.copy(Place::of(&copy), own, self.len())?;
                self.set_buffer(copy);
            } else {
                // dfdx copies values that are shared before it changes them, and this change changes nothing.
                let own = self.flat().clone();
                self.flat_mut().try_axpy(1.0, &own, 0.0)?;
            }
        }
        self.place()
    }

    /// The result of a recorded operation, and the place of its gradient.
    pub(crate) fn recorded(mut self) -> (Self, Slot) {
        self.passing = Some(Passing::default());
        let slot = Slot::of(&self);
        (self.wanting_grad(true), slot)
    }
}

/// A new tensor all of whose values `write` writes.
pub fn written(
    operation: &'static str,
    device: &Cuda,
    dims: &[usize],
    write: impl FnOnce(&'static Gpu, Place) -> Run<()>,
) -> Result<Tensor<Cuda>> {
    let make = || {
        let gpu = gpu()?;
        let values = gpu.room(dims.iter().product())?;
        write(gpu, Place::of(&values))?;
        held(device, values, dims)
    };
    named(operation, make())
}

/// A tensor of what a buffer holds, which may be longer.
pub fn held(device: &Cuda, values: Values, dims: &[usize]) -> Run<Tensor<Cuda>> {
    Ok(Tensor::from_buffer(nothing(device)?, values, dims.to_vec()))
}

/// A tensor of no values, the same each time.
fn nothing(device: &Cuda) -> Run<Flat<Cuda>> {
    thread_local! {
        static NOTHING: RefCell<Option<Flat<Cuda>>> = const { RefCell::new(None) };
    }
    NOTHING.with_borrow_mut(|kept| match kept {
        Some(nothing) => Ok(nothing.clone()),
        None => Ok(kept.insert(device.try_zeros_like(&(0_usize,))?).clone()),
    })
}

/// dfdx's tensor of what a buffer holds: the only public way to one is a gradient's.
pub fn settled(device: &Cuda, values: &Values, len: usize) -> Run<Flat<Cuda>> {
    let probe: Flat<Cuda> = device.try_zeros_like(&(len,))?;
    let mut flow = Flow::leaky();
    gpu()?.copy(Place::of(flow.get_or_alloc_mut(&probe)?), Place::of(values), len)?;
    Ok(flow.get(&probe))
}

/// Records an operation over an image and weights where a gradient is wanted: `weight_gradient` adds to the gradient of
/// the weights, given `x`, the gradient of `y` and it; `input_gradient` writes that of `x`, or adds to it, given the
/// weights, the gradient of `y`, it, and whether to add.
pub fn record(
    tape: &mut Tape<Cuda>,
    y: Tensor<Cuda>,
    [x, weight]: [&Tensor<Cuda>; 2],
    weight_gradient: impl FnOnce(&Gpu, Place, Place, Place) -> Run<()> + 'static,
    input_gradient: impl FnOnce(&Gpu, Place, Place, Place, bool) -> Run<()> + 'static,
) -> Tensor<Cuda> {
    if !tape.records(&[x, weight]) {
        return y;
    }
    let (y, of_y) = y.recorded();
    let (of_x, of_weight) = (Slot::wanted(x), Slot::wanted(weight));
    let x = of_weight.is_some().then(|| x.clone());
    let weight = of_x.is_some().then(|| weight.clone());
    tape.push(move |flow| {
        let gpu = gpu()?;
        let gy = of_y.take()?;
        if let (Some(of_weight), Some(x)) = (of_weight, x) {
            of_weight.add(flow, |gw| weight_gradient(gpu, x.place()?, Place::of(&gy), gw))?;
        }
        if let (Some(of_x), Some(weight)) = (of_x, weight) {
            of_x.write(flow, |gx, add| input_gradient(gpu, weight.place()?, Place::of(&gy), gx, add))?;
        }
        Ok(())
    });
    y
}

type Find = dyn for<'a> Fn(&'a mut Flow) -> Run<&'a mut Storage>;

/// Where the gradient of one tensor is.
enum At {
    /// In dfdx's store, zeros at first: that of a leaf, which is still there after the pass.
    Kept(Box<Find>),
    /// That of the result of an operation; nothing at first.
    Passing(Passing<Values>),
}

/// The place of one tensor's gradient in a backward pass.
pub struct Slot {
    at: At,
    len: usize,
}

impl Slot {
    /// The place of `tensor`'s gradient; does not keep the tensor's values alive.
    pub fn of(tensor: &Tensor<Cuda>) -> Self {
        // A leaf in a buffer was not to want a gradient, and dfdx knows no place for it: it leads nowhere.
        let lost = tensor.buffer().map(|_| Passing::default());
        let at = tensor.passing.clone().or(lost).map_or_else(
            || {
                let ghost = tensor.flat().ghost();
                At::Kept(Box::new(move |flow| flow.get_or_alloc_mut(&ghost)))
            },
            At::Passing,
        );
        Slot { at, len: tensor.len() }
    }

    /// The place of `tensor`'s gradient if one is wanted.
    pub fn wanted(tensor: &Tensor<Cuda>) -> Option<Self> {
        tensor.wants_grad().then(|| Slot::of(tensor))
    }

    /// Moves the gradient of an operation's result out, zeros if there is none: its memory is free as soon as it has
    /// been used.
    pub fn take(&self) -> Run<Values> {
        if let At::Passing(passing) = &self.at
            && let Some(gradient) = passing.take()
        {
            return Ok(gradient);
        }
        let (gpu, zeros) = (gpu()?, gpu()?.room(self.len)?);
        gpu.clear(Place::of(&zeros), self.len)?;
        Ok(zeros)
    }

    /// Has `f` add to the gradient, which holds zeros at first.
    pub fn add(&self, flow: &mut Flow, f: impl FnOnce(Place) -> Run<()>) -> Run<()> {
        match &self.at {
            At::Kept(find) => f(Place::of(find(flow)?)),
            At::Passing(passing) => {
                let gradient = self.take()?;
                f(Place::of(&gradient))?;
                passing.put(gradient);
                Ok(())
            }
        }
    }

    /// Has `f` add to the gradient or, if it is told not to add, write all of it.
    pub fn write(&self, flow: &mut Flow, f: impl FnOnce(Place, bool) -> Run<()>) -> Run<()> {
        match &self.at {
            At::Kept(find) => f(Place::of(find(flow)?), true),
            At::Passing(passing) => {
                let so_far = passing.take();
                let add = so_far.is_some();
                let gradient = so_far.map_or_else(|| gpu()?.room(self.len), Ok)?;
                f(Place::of(&gradient), add)?;
                passing.put(gradient);
                Ok(())
            }
        }
    }

    /// Adds a gradient; copies nothing if it is the first of an operation's result.
    pub fn give(&self, flow: &mut Flow, gradient: Values) -> Run<()> {
        if let At::Passing(passing) = &self.at {
            match passing.take() {
                None => passing.put(gradient),
                Some(so_far) => {
                    accumulate(Place::of(&so_far), Place::of(&gradient), self.len)?;
                    passing.put(so_far);
                }
            }
            return Ok(());
        }
        self.add(flow, |so_far| accumulate(so_far, Place::of(&gradient), self.len))
    }
}

/// `to += from`
pub fn accumulate(to: Place, from: Place, len: usize) -> Run<()> {
    gpu()?.each_four("blend", len, &[to.into(), to.into(), 1.0_f32.into(), from.into(), 1.0_f32.into(), len.into()])
}

/// `to = from`, or `to += from`.
pub fn copy_or_add(to: Place, from: Place, len: usize, add: bool) -> Run<()> {
    if add { accumulate(to, from, len) } else { gpu()?.copy(to, from, len) }
}
