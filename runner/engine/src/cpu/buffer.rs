//! The memory of tensors and gradients on the CPU.

use super::super::tensor::Passing;
use super::super::{Cpu, Result, Tape, Tensor};
use dfdx::prelude::{CpuError, Gradients};

/// The memory that dfdx keeps a gradient in.
type Storage = <Cpu as dfdx::prelude::Storage<f32>>::Vec;

/// The gradients of a backward pass that is under way.
pub type Flow = Gradients<f32, Cpu>;

/// What a step backwards gives.
pub type Backward<T> = std::result::Result<T, CpuError>;

impl Tensor<Cpu> {
    /// The values, in place.
    pub(crate) fn values(&self) -> &[f32] {
        if self.is_empty() {
            return &[];
        }
        let first: *const f32 = &raw const self.flat()[[0]];
        // SAFETY: a `Flat` of shape (len,) is contiguous, so dfdx's vector holds `len` values from
        // the first on. It lives as long as the tensor, and nothing writes to it while `self` is
        // borrowed: dfdx copies a shared vector before it writes.
        unsafe { std::slice::from_raw_parts(first, self.len()) }
    }

    /// The values, to be changed in place. Clones of the tensor keep the old ones.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        if self.is_empty() {
            return &mut [];
        }
        let len = self.len();
        let first: *mut f32 = &raw mut self.flat_mut()[[0]];
        // SAFETY: as above; dfdx's `index_mut` has made this tensor the vector's only owner.
        unsafe { std::slice::from_raw_parts_mut(first, len) }
    }

    /// A new tensor of zeros that `fill` adds to.
    pub(crate) fn filled(device: &Cpu, dims: &[usize], fill: impl FnOnce(&mut [f32])) -> Result<Self> {
        let mut values = vec![0.0; dims.iter().product()];
        fill(&mut values);
        Tensor::from_vec(device, values, dims)
    }

    /// A new tensor all of whose values `write` writes.
    pub(crate) fn written(device: &Cpu, dims: &[usize], write: impl FnOnce(&mut [f32])) -> Result<Self> {
        let mut values = room(dims.iter().product());
        write(&mut values);
        Tensor::from_vec(device, values, dims)
    }

    /// The result of a recorded operation, and the place of its gradient.
    pub(crate) fn recorded(mut self) -> (Self, Slot) {
        self.passing = Some(Passing::default());
        let slot = Slot::of(&self);
        (self.wanting_grad(true), slot)
    }
}

/// Records an operation over an image and weights where a gradient is wanted: `weight_gradient` adds to the gradient of the
/// weights, given `x`, the gradient of `y` and it; `input_gradient` writes that of `x`, or adds to it, given the weights,
/// the gradient of `y`, it, and whether to add.
pub fn record(
    tape: &mut Tape<Cpu>,
    y: Tensor<Cpu>,
    [x, weight]: [&Tensor<Cpu>; 2],
    weight_gradient: impl FnOnce(&[f32], &[f32], &mut [f32]) + 'static,
    input_gradient: impl FnOnce(&Tensor<Cpu>, &[f32], &mut [f32], bool) + 'static,
) -> Tensor<Cpu> {
    if !tape.records(&[x, weight]) {
        return y;
    }
    let (y, of_y) = y.recorded();
    let (of_x, of_weight) = (Slot::wanted(x), Slot::wanted(weight));
    let x = of_weight.is_some().then(|| x.clone());
    let weight = of_x.is_some().then(|| weight.clone());
    tape.push(move |flow| {
        let gy = of_y.take(flow)?;
        if let (Some(of_weight), Some(x)) = (of_weight, x) {
            of_weight.add(flow, |gw| weight_gradient(x.values(), &gy, gw))?;
        }
        if let (Some(of_x), Some(weight)) = (of_x, weight) {
            of_x.write(flow, |gx, add| input_gradient(&weight, &gy, gx, add))?;
        }
        Ok(())
    });
    y
}

/// Memory for so many numbers, with whatever is left in it: for what is written whole. In debug builds it
/// holds NaN, so that what is not written shows.
pub fn room(len: usize) -> Vec<f32> {
    if cfg!(debug_assertions) {
        return vec![f32::NAN; len];
    }
    let mut values: Vec<f32> = Vec::with_capacity(len);
    // SAFETY: there is room for `len` numbers. The compiler cannot see into the empty block of assembly, which
    // might write them: to it they are numbers, of which nothing is known.
    unsafe {
        std::arch::asm!("/* {0} */", in(reg) values.as_mut_ptr(), options(nostack, preserves_flags));
        values.set_len(len);
    }
    values
}

type Find = dyn for<'a> Fn(&'a mut Flow) -> Backward<&'a mut Storage>;

/// Where the gradient of one tensor is.
enum Place {
    /// In dfdx's store, zeros at first: that of a leaf, which is still there after the pass.
    Kept(Box<Find>),
    /// That of the result of an operation; nothing at first.
    Passing(Passing<Vec<f32>>),
}

/// The place of one tensor's gradient in a backward pass.
pub struct Slot {
    place: Place,
    len: usize,
}

impl Slot {
    /// The place of `tensor`'s gradient; does not keep the tensor's values alive.
    pub fn of(tensor: &Tensor<Cpu>) -> Self {
        let place = tensor.passing.clone().map_or_else(
            || {
                let ghost = tensor.flat().ghost();
                Place::Kept(Box::new(move |flow| flow.get_or_alloc_mut(&ghost)))
            },
            Place::Passing,
        );
        Slot { place, len: tensor.len() }
    }

    /// The place of `tensor`'s gradient if one is wanted.
    pub fn wanted(tensor: &Tensor<Cpu>) -> Option<Self> {
        tensor.wants_grad().then(|| Slot::of(tensor))
    }

    /// Moves the gradient out, zeros if there is none yet: its memory is free as soon as it has been used.
    /// For the result of an operation, whose gradient nobody looks at after that operation.
    pub fn take(&self, flow: &mut Flow) -> Backward<Vec<f32>> {
        let so_far = self.so_far(flow)?;
        Ok(if so_far.is_empty() { vec![0.0; self.len] } else { so_far })
    }

    /// Puts back what was moved out by [`Slot::take`].
    pub fn put(&self, flow: &mut Flow, gradient: Vec<f32>) -> Backward<()> {
        match &self.place {
            Place::Kept(find) => **find(flow)? = gradient,
            Place::Passing(passing) => passing.put(gradient),
        }
        Ok(())
    }

    /// Has `f` add to the gradient, which holds zeros at first.
    pub fn add(&self, flow: &mut Flow, f: impl FnOnce(&mut [f32])) -> Backward<()> {
        let mut gradient = self.take(flow)?;
        f(&mut gradient);
        self.put(flow, gradient)
    }

    /// Has `f` add to the gradient or, if it is told not to add, write all of it.
    pub fn write(&self, flow: &mut Flow, f: impl FnOnce(&mut [f32], bool)) -> Backward<()> {
        let mut gradient = self.so_far(flow)?;
        let add = !gradient.is_empty();
        if !add {
            gradient = room(self.len);
        }
        f(&mut gradient, add);
        self.put(flow, gradient)
    }

    /// Adds a gradient; copies nothing if it is the first.
    pub fn give(&self, flow: &mut Flow, gradient: Vec<f32>) -> Backward<()> {
        let mut so_far = self.so_far(flow)?;
        if so_far.is_empty() {
            return self.put(flow, gradient);
        }
        super::split::add_into(&mut so_far, &gradient);
        self.put(flow, so_far)
    }

    /// Moves out what there is; nothing if nobody has added to it.
    fn so_far(&self, flow: &mut Flow) -> Backward<Vec<f32>> {
        Ok(match &self.place {
            Place::Kept(find) => std::mem::take(&mut **find(flow)?),
            Place::Passing(passing) => passing.take().unwrap_or_default(),
        })
    }
}
