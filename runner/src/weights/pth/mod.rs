//! Reads the table of contents of what `torch.save` writes: a state dict, in either format.
//!
//! Both formats are pickles. A pickle is a program; the machine that runs it here knows only the few
//! instructions and names that a state dict is made of, and calls nothing.

mod legacy;
mod objects;
mod pickle;
mod state_dict;
mod zipped;

pub(super) use legacy::read as read_legacy;
pub(super) use zipped::read as read_zip;

#[cfg(test)]
mod tests;
