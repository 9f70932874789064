//! The tape: what a forward pass did, so that it can be run backwards.

use super::{EngineError, Gradients, Kernels, Result, Tensor};
use dfdx::prelude::{Backward, OwnedTape, PutTape, SplitTape, Tape as _, Trace, ZerosTensor};
use std::sync::{Arc, Mutex};

/// Which implementation of the kernels a pass uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KernelSet {
    /// The fast ones of the device, where it has them.
    #[default]
    Fast,
    /// Those assembled from dfdx's public operations: the portable path, and the oracle in tests.
    Assembled,
}

/// Records a forward pass, or nothing.
///
/// An operation is recorded when the tape records and one of its operands wants a gradient. So a
/// frozen prefix leaves no trace: nothing of it is stored and nothing of it runs backwards.
pub struct Tape<D: Kernels> {
    operations: Option<OwnedTape<f32, D>>,
    kernels: KernelSet,
    fault: Fault,
}

/// Keeps the first error of a foreign operation on the way back, which dfdx's errors cannot carry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fault {
    first: Arc<Mutex<Option<EngineError>>>,
    /// See [`Tape::enter`].
    place: usize,
}

impl Fault {
    /// Keeps the error, if it is one and the first.
    pub fn note(&self, result: Result<()>) {
        if let (Err(error), Ok(mut first)) = (result, self.first.lock()) {
            first.get_or_insert_with(|| EngineError::Back { place: self.place, error: Box::new(error) });
        }
    }

    fn told(&self) -> Result<()> {
        self.first.lock().ok().and_then(|mut first| first.take()).map_or(Ok(()), Err)
    }
}

impl<D: Kernels> Tape<D> {
    /// A tape that records.
    pub fn recording(kernels: KernelSet) -> Self {
        Tape { operations: Some(OwnedTape::default()), kernels, fault: Fault::default() }
    }

    /// A tape that records, and whose gradients are added to those of passes before: so a batch may be
    /// computed in pieces. Give it what [`Gradients::only`] gives, else what those passes left is kept
    /// as well.
    pub fn adding_to(kernels: KernelSet, gradients: Gradients<D>, device: &D) -> Result<Self> {
        let nothing = ZerosTensor::<f32>::try_zeros_like(device, &(0_usize,)).map_err(EngineError::device("tape"))?;
        let (_, operations) = nothing.traced(gradients.into_inner()).split_tape();
        Ok(Tape { operations: Some(operations), kernels, fault: Fault::default() })
    }

    /// A tape that records nothing: for evaluation.
    pub fn off(kernels: KernelSet) -> Self {
        Tape { operations: None, kernels, fault: Fault::default() }
    }

    /// Which kernels run.
    pub fn kernels(&self) -> KernelSet {
        self.kernels
    }

    /// Whether an operation over these operands is to be recorded.
    pub fn records(&self, operands: &[&Tensor<D>]) -> bool {
        self.operations.is_some() && operands.iter().any(|operand| operand.wants_grad())
    }

    /// Adds a step that runs backwards.
    pub(crate) fn push<F>(&mut self, backward: F)
    where
        F: FnOnce(&mut dfdx::prelude::Gradients<f32, D>) -> std::result::Result<(), D::Err> + 'static,
    {
        if let Some(operations) = &mut self.operations {
            operations.add_backward_op(backward);
        }
    }

    /// Says by a number where the operations are that follow. An error that one of them has on the way
    /// back, if it is a foreign one, carries the number.
    pub fn enter(&mut self, place: usize) {
        self.fault.place = place;
    }

    /// Where a foreign operation leaves its error.
    pub(crate) fn fault(&self) -> Fault {
        self.fault.clone()
    }

    /// Takes dfdx's tape out, to be lent to dfdx's own operations; give it back by [`Tape::give`].
    pub(crate) fn lend(&mut self) -> OwnedTape<f32, D> {
        self.operations.take().unwrap_or_default()
    }

    /// Puts dfdx's tape back.
    pub(crate) fn give(&mut self, operations: OwnedTape<f32, D>) {
        self.operations = Some(operations);
    }

    /// Runs the tape backwards from a scalar loss.
    ///
    /// The error of a foreign operation is an [`EngineError::Back`].
    pub fn backward(self, loss: &Tensor<D>) -> Result<Gradients<D>> {
        if let Some(passing) = &loss.passing {
            passing.put(D::one(loss.device())?);
        }
        // The way back begins with a scalar of dfdx's; a loss whose gradient has been put in its place is none.
        let scalar = if loss.passing.is_some() { Tensor::zeros(loss.device(), &[])? } else { loss.clone() };
        let loss = scalar.shaped(())?.put_tape(self.operations.unwrap_or_default());
        let gradients = loss.try_backward().map_err(EngineError::device("backward"))?;
        self.fault.told()?;
        Ok(Gradients::new(gradients))
    }
}
