//! The weights of a convolution, and the layouts of them that stay.

use super::super::tensor::Made;
use super::super::{Cpu, Tensor};
use super::packed::{Layout, Packed};
use super::simd::Tiles;
use std::ops::Deref;

/// One way to lay out weights: [`Packed::new`] or [`Packed::lasting`].
pub type Pack = fn(&[f32], Layout, usize, usize, usize, &Tiles) -> Packed;

/// The weights of a convolution.
#[derive(Clone, Copy)]
pub struct Weight<'a> {
    /// Theirs.
    pub values: &'a [f32],
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

impl<'a> Weight<'a> {
    /// The layout of each group's weights, as `pack` makes it. Where the weights stay the same from batch to batch and
    /// `keeps`, it is made once, if it `fits`.
    pub fn packed(
        self,
        keeps: bool,
        fits: impl Fn(&Packed) -> bool,
        pack: impl Fn(Pack) -> Vec<Packed>,
    ) -> Layouts<'a> {
        let made = self.made.filter(|_| keeps);
        let kept: Option<&Vec<Packed>> = made.and_then(|made| made.get_or(|| pack(Packed::lasting)));
        match kept.filter(|kept| kept.iter().all(fits)) {
            Some(kept) => Layouts::Kept(kept),
            None => Layouts::Own(pack(Packed::new)),
        }
    }
}

impl<'a> From<&'a [f32]> for Weight<'a> {
    fn from(values: &'a [f32]) -> Self {
        Weight { values, made: None }
    }
}

/// The layout of each group's weights.
pub enum Layouts<'a> {
    /// Kept with the weights.
    Kept(&'a [Packed]),
    /// Of this batch alone.
    Own(Vec<Packed>),
}

impl Deref for Layouts<'_> {
    type Target = [Packed];

    fn deref(&self) -> &[Packed] {
        match self {
            Layouts::Kept(kept) => kept,
            Layouts::Own(own) => own,
        }
    }
}
