//! The commands of the program, one file each.

pub mod convert;
pub mod inspect;
