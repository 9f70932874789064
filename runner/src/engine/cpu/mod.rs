//! The fast kernels of the CPU.

use super::{Cpu, Kernels};

impl Kernels for Cpu {}
