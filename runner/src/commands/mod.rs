//! The commands of the program, one file each.

pub mod check;
pub mod convert;
pub mod inspect;
pub mod plan;
pub mod schema;
