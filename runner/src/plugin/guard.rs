//! Guard words: copies of all buffers, between words that nobody may touch.
//!
//! Slow, and therefore only asked for: by `plugins: { guard: true }` and by `runner plugin check`. What
//! a plugin writes beside a buffer is found as long as it stays within the guard words.

use crate::engine::{ForeignBackward, ForeignForward, View, ViewMut};

/// Words before and after each buffer.
const GUARD: usize = 64;

/// The bits of a guard word: a NaN, so that reading it shows as well.
const WORD: u32 = 0x7fc0_dead;

/// The bits that an output is filled with: what keeps them was not written.
const UNWRITTEN: u32 = 0x7fc0_beef;

/// A buffer of `f32` between guard words.
struct Padded {
    /// What it is called in complaints.
    name: String,
    dims: Vec<usize>,
    words: Vec<f32>,
    /// What it must still hold at the end, if it is only to be read.
    given: Option<Vec<f32>>,
}

impl Padded {
    fn new(name: String, dims: &[usize], values: &[f32]) -> Self {
        let guard = [f32::from_bits(WORD); GUARD];
        Padded { name, dims: dims.to_vec(), words: [&guard, values, &guard].concat(), given: None }
    }

    fn to_read(name: String, dims: &[usize], values: &[f32]) -> Self {
        Padded { given: Some(values.to_vec()), ..Padded::new(name, dims, values) }
    }

    fn values(&self) -> &[f32] {
        &self.words[GUARD..self.words.len() - GUARD]
    }

    fn view_mut(&mut self) -> ViewMut<'_> {
        let end = self.words.len() - GUARD;
        ViewMut { dims: &self.dims, values: &mut self.words[GUARD..end] }
    }

    /// Whether nothing was written that must not be.
    fn check(&self) -> Result<(), String> {
        let touched = |word: &f32| word.to_bits() != WORD;
        let (before, after) = (&self.words[..GUARD], &self.words[self.words.len() - GUARD..]);
        if let Some(place) = before.iter().rposition(touched) {
            return Err(format!("wrote before the start of {}, by {} values", self.name, GUARD - place));
        }
        if let Some(place) = after.iter().position(touched) {
            return Err(format!("wrote past the end of {}, by {} values", self.name, place + 1));
        }
        let Some(given) = &self.given else { return Ok(()) };
        let changed = given.iter().zip(self.values()).position(|(a, b)| a.to_bits() != b.to_bits());
        changed.map_or(Ok(()), |place| Err(format!("changed {}, which is only to be read", self.at(place))))
    }

    fn check_finite(&self) -> Result<(), String> {
        let found = self.values().iter().position(|value| !value.is_finite());
        found.map_or(Ok(()), |place| Err(format!("gave {} in {}", self.values()[place], self.at(place))))
    }

    fn is_finite(&self) -> bool {
        self.values().iter().all(|value| value.is_finite())
    }

    /// A value's name: `output[0, 3, 2, 1]`.
    fn at(&self, place: usize) -> String {
        format!("{}{}", self.name, at(&self.dims, place))
    }
}

/// The indices of a value in a tensor: `[0, 3, 2, 1]`.
pub fn at(dims: &[usize], mut place: usize) -> String {
    let mut indices: Vec<String> = Vec::with_capacity(dims.len());
    for &dim in dims.iter().rev() {
        indices.push((place % dim.max(1)).to_string());
        place /= dim.max(1);
    }
    indices.reverse();
    format!("[{}]", indices.join(", "))
}

/// Tensors that are only to be read; those without values stay so.
struct Operands {
    padded: Vec<Option<Padded>>,
    dims: Vec<Vec<usize>>,
}

impl Operands {
    fn new(what: &str, views: &[View<'_>]) -> Self {
        let pad = |(i, view): (usize, &View<'_>)| {
            view.values.map(|values| Padded::to_read(format!("{what} {i}"), view.dims, values))
        };
        Operands {
            padded: views.iter().enumerate().map(pad).collect(),
            dims: views.iter().map(|view| view.dims.to_vec()).collect(),
        }
    }

    fn views(&self) -> Vec<View<'_>> {
        let values = self.padded.iter().map(|padded| padded.as_ref().map(Padded::values));
        self.dims.iter().zip(values).map(|(dims, values)| View { dims, values }).collect()
    }

    fn check(&self) -> Result<(), String> {
        self.padded.iter().flatten().try_for_each(Padded::check)
    }

    fn are_finite(&self) -> bool {
        self.padded.iter().flatten().all(Padded::is_finite)
    }
}

/// Scratch between guard words.
struct Scratch {
    words: Vec<u64>,
}

/// The bits of a guard word of scratch.
const SCRATCH_WORD: u64 = 0x7fc0_dead_7fc0_dead;

impl Scratch {
    fn new(scratch: &[u64]) -> Self {
        let guard = [SCRATCH_WORD; GUARD];
        Scratch { words: [&guard, scratch, &guard].concat() }
    }

    fn values_mut(&mut self) -> &mut [u64] {
        let end = self.words.len() - GUARD;
        &mut self.words[GUARD..end]
    }

    fn finish(&self, target: &mut [u64]) -> Result<(), String> {
        let end = self.words.len() - GUARD;
        if self.words[..GUARD].iter().any(|&word| word != SCRATCH_WORD) {
            return Err("wrote before the start of scratch".into());
        }
        if self.words[end..].iter().any(|&word| word != SCRATCH_WORD) {
            return Err("wrote past the end of scratch".into());
        }
        target.copy_from_slice(&self.words[GUARD..end]);
        Ok(())
    }
}

/// A forward call between guard words.
pub struct GuardedForward {
    inputs: Operands,
    params: Operands,
    output: Padded,
    scratch: Scratch,
    recorded: bool,
}

/// Where the results of a guarded forward call go.
pub struct ForwardTarget<'a> {
    output: &'a mut [f32],
    scratch: &'a mut [u64],
}

// What is lent for writing is given up.
#[allow(clippy::needless_pass_by_value)]
impl GuardedForward {
    pub fn new(call: ForeignForward<'_>) -> (Self, ForwardTarget<'_>) {
        let unwritten = vec![f32::from_bits(UNWRITTEN); call.output.values.len()];
        let guarded = GuardedForward {
            inputs: Operands::new("input", &call.inputs),
            params: Operands::new("parameter", &call.params),
            output: Padded::new("output".into(), call.output.dims, &unwritten),
            scratch: Scratch::new(call.scratch),
            recorded: call.recorded,
        };
        (guarded, ForwardTarget { output: call.output.values, scratch: call.scratch })
    }

    pub fn call(&mut self) -> ForeignForward<'_> {
        ForeignForward {
            inputs: self.inputs.views(),
            params: self.params.views(),
            output: self.output.view_mut(),
            scratch: self.scratch.values_mut(),
            recorded: self.recorded,
        }
    }

    /// Hands the results on, or says what is wrong with them.
    pub fn finish(self, target: ForwardTarget<'_>) -> Result<(), String> {
        self.inputs.check()?;
        self.params.check()?;
        self.output.check()?;
        let unwritten = self.output.values().iter().position(|value| value.to_bits() == UNWRITTEN);
        if let Some(place) = unwritten {
            return Err(format!("did not write {}", self.output.at(place)));
        }
        if self.inputs.are_finite() && self.params.are_finite() {
            self.output.check_finite()?;
        }
        self.scratch.finish(target.scratch)?;
        target.output.copy_from_slice(self.output.values());
        Ok(())
    }
}

/// A backward call between guard words.
pub struct GuardedBackward {
    inputs: Operands,
    params: Operands,
    output: Operands,
    gradient: Operands,
    input_gradients: Vec<Option<Padded>>,
    param_gradients: Vec<Option<Padded>>,
    scratch: Scratch,
}

/// Where the results of a guarded backward call go.
pub struct BackwardTargets<'a> {
    gradients: Vec<Option<ViewMut<'a>>>,
    scratch: &'a mut [u64],
}

impl GuardedBackward {
    pub fn new(call: ForeignBackward<'_>) -> (Self, BackwardTargets<'_>) {
        let guarded = GuardedBackward {
            inputs: Operands::new("input", &call.inputs),
            params: Operands::new("parameter", &call.params),
            output: Operands::new("output", &[call.output]),
            gradient: Operands::new("output gradient", &[call.output_gradient]),
            input_gradients: targets("input", &call.input_gradients),
            param_gradients: targets("parameter", &call.param_gradients),
            scratch: Scratch::new(call.scratch),
        };
        let gradients = call.input_gradients.into_iter().chain(call.param_gradients).collect();
        (guarded, BackwardTargets { gradients, scratch: call.scratch })
    }

    pub fn call(&mut self) -> ForeignBackward<'_> {
        let nothing = View { dims: &[], values: None };
        ForeignBackward {
            inputs: self.inputs.views(),
            params: self.params.views(),
            output: self.output.views().first().copied().unwrap_or(nothing),
            output_gradient: self.gradient.views().first().copied().unwrap_or(nothing),
            input_gradients: wanted(&mut self.input_gradients),
            param_gradients: wanted(&mut self.param_gradients),
            scratch: self.scratch.values_mut(),
        }
    }

    /// Hands the results on, or says what is wrong with them.
    pub fn finish(self, targets: BackwardTargets<'_>) -> Result<(), String> {
        for operands in [&self.inputs, &self.params, &self.output, &self.gradient] {
            operands.check()?;
        }
        let finite = [&self.inputs, &self.params, &self.gradient].iter().all(|operands| operands.are_finite());
        let found: Vec<Option<Padded>> = self.input_gradients.into_iter().chain(self.param_gradients).collect();
        for gradient in found.iter().flatten() {
            gradient.check()?;
            if finite {
                gradient.check_finite()?;
            }
        }
        self.scratch.finish(targets.scratch)?;
        for (target, gradient) in targets.gradients.into_iter().zip(found) {
            if let (Some(target), Some(gradient)) = (target, gradient) {
                target.values.copy_from_slice(gradient.values());
            }
        }
        Ok(())
    }
}

fn targets(what: &str, views: &[Option<ViewMut<'_>>]) -> Vec<Option<Padded>> {
    let pad = |(i, view): (usize, &Option<ViewMut<'_>>)| {
        view.as_ref().map(|view| Padded::new(format!("gradient of {what} {i}"), view.dims, view.values))
    };
    views.iter().enumerate().map(pad).collect()
}

fn wanted(padded: &mut [Option<Padded>]) -> Vec<Option<ViewMut<'_>>> {
    padded.iter_mut().map(|padded| padded.as_mut().map(Padded::view_mut)).collect()
}
