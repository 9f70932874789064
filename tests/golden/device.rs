//! What the nets are computed on: the GPU where the tests are built for one, else the CPU.

#[cfg(not(feature = "cuda"))]
pub use runner::engine::Cpu as Device;
#[cfg(feature = "cuda")]
pub use runner::engine::Cuda as Device;

/// The device.
#[cfg(not(feature = "cuda"))]
pub fn device() -> Device {
    Device::default()
}

/// The device.
#[cfg(feature = "cuda")]
pub fn device() -> Device {
    thread_local! {
        static DEVICE: Device = runner::engine::device::open_cuda(0).unwrap();
    }
    DEVICE.with(Clone::clone)
}

/// Whether there is one; says so where there is none.
pub fn is_there() -> bool {
    #[cfg(feature = "cuda")]
    if let Err(error) = runner::engine::device::open_cuda(0) {
        eprintln!("skipped: {error}");
        return false;
    }
    true
}
