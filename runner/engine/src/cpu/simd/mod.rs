//! Vector instructions: one file a set, and the choice between them at run time.
//!
//! A set is a type whose values exist only where the processor has it, so that its methods are safe.
//! Loops are written once, generic over [`Simd`] or plainly for the compiler to vectorise, and run
//! compiled for the set that was chosen (see [`dispatch`]).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;
mod tile;

pub use tile::{Inputs, OutRows, Terms, Tiles, Weights};

use std::sync::OnceLock;

/// The environment variable that forces a set of instructions.
const VARIABLE: &str = "RUNNER_SIMD";
/// The most numbers in a vector.
const MAX_LANES: usize = 16;

/// A set of vector instructions. A value of such a type proves that the processor has the set.
pub trait Simd: Copy + Send + Sync + 'static {
    /// [`Simd::LANES`] numbers.
    type Vector: Copy;
    /// Numbers in a vector.
    const LANES: usize;

    /// All lanes the same number.
    fn splat(self, value: f32) -> Self::Vector;

    /// `a + b`
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a - b`
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a * b + c`, rounded once where the set can.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// The numbers at `from`.
    ///
    /// # Safety
    /// `LANES` numbers can be read at `from`.
    unsafe fn load(self, from: *const f32) -> Self::Vector;

    /// Writes the numbers to `to`.
    ///
    /// # Safety
    /// `LANES` numbers can be written at `to`.
    unsafe fn store(self, to: *mut f32, vector: Self::Vector);

    /// Runs `f` compiled for this set.
    fn run<R>(self, f: impl FnOnce() -> R) -> R;

    /// The first numbers of a slice; zeros in lanes for which it has none.
    #[inline(always)]
    fn read(self, from: &[f32]) -> Self::Vector {
        // SAFETY: so many numbers can be read.
        unsafe { self.load_some(from.as_ptr(), from.len()) }
    }

    /// Writes to the first numbers of a slice, those lanes that it has room for.
    #[inline(always)]
    fn write(self, to: &mut [f32], vector: Self::Vector) {
        // SAFETY: so many numbers can be written.
        unsafe { self.store_some(to.as_mut_ptr(), to.len(), vector) }
    }

    /// The first numbers of `count` at `from`; zeros in lanes for which there are none.
    ///
    /// # Safety
    /// `count` numbers can be read at `from`.
    #[inline(always)]
    unsafe fn load_some(self, from: *const f32, count: usize) -> Self::Vector {
        if count >= Self::LANES {
            // SAFETY: there are enough.
            return unsafe { self.load(from) };
        }
        let mut lanes = [0.0; MAX_LANES];
        // SAFETY: the caller promises as much; no set has more lanes.
        unsafe {
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
            self.load(lanes.as_ptr())
        }
    }

    /// Writes the first numbers, at most `count`, to `to`.
    ///
    /// # Safety
    /// `count` numbers can be written at `to`.
    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, count: usize, vector: Self::Vector) {
        if count >= Self::LANES {
            // SAFETY: there is room enough.
            return unsafe { self.store(to, vector) };
        }
        let mut lanes = [0.0; MAX_LANES];
        // SAFETY: the caller promises as much; no set has more lanes.
        unsafe {
            self.store(lanes.as_mut_ptr(), vector);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count);
        }
    }
}

/// What can run with any set of instructions.
pub trait WithSimd {
    /// What comes out.
    type Output;

    /// Does it.
    ///
    /// Must be inlined always, since what is not is not compiled for the set.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// A set of instructions that the processor has.
#[derive(Clone, Copy)]
pub enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
    Portable(portable::Portable),
}

impl Instructions {
    /// All that the processor has, the widest first.
    pub fn available() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(avx512::Avx512::detect().map(Instructions::Avx512));
            all.extend(avx2::Avx2::detect().map(Instructions::Avx2));
        }
        #[cfg(target_arch = "aarch64")]
        all.extend(neon::Neon::detect().map(Instructions::Neon));
        all.push(Instructions::Portable(portable::Portable));
        all
    }

    /// The set that all kernels of this process use.
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Instructions> = OnceLock::new();
        *CHOSEN.get_or_init(|| choose(std::env::var_os(VARIABLE).map(|name| name.to_string_lossy().into_owned())))
    }

    /// The name, as the environment variable has it.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Instructions::Neon(_) => "neon",
            Instructions::Portable(_) => "portable",
        }
    }

    /// Runs `task` compiled for this set.
    #[inline(always)]
    pub fn dispatch<T: WithSimd>(self, task: T) -> T::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(simd) => simd.run(
                #[inline(always)]
                || task.run(simd),
            ),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(simd) => simd.run(
                #[inline(always)]
                || task.run(simd),
            ),
            #[cfg(target_arch = "aarch64")]
            Instructions::Neon(simd) => simd.run(
                #[inline(always)]
                || task.run(simd),
            ),
            Instructions::Portable(simd) => simd.run(
                #[inline(always)]
                || task.run(simd),
            ),
        }
    }

    /// The inner loops of products.
    pub fn tiles(self) -> &'static Tiles {
        match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(simd) => simd.tiles(),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(simd) => simd.tiles(),
            #[cfg(target_arch = "aarch64")]
            Instructions::Neon(simd) => simd.tiles(),
            Instructions::Portable(simd) => simd.tiles(),
        }
    }
}

/// The set of this name, else the widest.
fn choose(forced: Option<String>) -> Instructions {
    let available = Instructions::available();
    let widest = available.first().copied().unwrap_or(Instructions::Portable(portable::Portable));
    let Some(name) = forced.filter(|name| !name.is_empty()) else { return widest };
    available.iter().copied().find(|set| set.name() == name).unwrap_or_else(|| {
        let names: Vec<&str> = available.iter().map(|set| set.name()).collect();
        tracing::warn!(
            "{VARIABLE}={name} is not a set of instructions of this processor, so {} is used; it has: {}",
            widest.name(),
            names.join(", ")
        );
        widest
    })
}

/// The name of the vector instructions that the kernels use: `avx512`, `avx2`, `neon` or `portable`.
///
/// It is the widest set that the processor has, or that which `RUNNER_SIMD` names.
pub fn instructions() -> &'static str {
    Instructions::chosen().name()
}

/// Runs `task` compiled for the chosen set.
#[inline(always)]
pub fn dispatch<T: WithSimd>(task: T) -> T::Output {
    Instructions::chosen().dispatch(task)
}
