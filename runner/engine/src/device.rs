//! The devices, and how one is chosen.

use super::{EngineError, Kernels, Result};

pub use dfdx::prelude::Cpu;
#[cfg(feature = "cuda")]
pub use dfdx::prelude::Cuda;

/// A device as a person names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceName {
    /// The GPU if the program is built for it and there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The NVIDIA GPU of this number.
    Cuda(usize),
}

impl DeviceName {
    /// Whether it may turn out to be a GPU.
    pub fn may_be_gpu(self) -> bool {
        match self {
            DeviceName::Cpu => false,
            DeviceName::Cuda(_) => true,
            DeviceName::Auto => cfg!(feature = "cuda"),
        }
    }
}

/// Something to be done on a device that is known at run time only.
pub trait DeviceTask: Send {
    /// What comes out.
    type Output: Send;

    /// Does it.
    fn run<D: Kernels>(self, device: D) -> Self::Output;
}

/// Opens the device of this name and runs `task` on it.
///
/// Fails with [`EngineError::NoDevice`] where there is none such; the error says what to do.
pub fn with_device<T: DeviceTask>(name: DeviceName, task: T) -> Result<T::Output> {
    match name {
        DeviceName::Cpu => on_cpu(task),
        #[cfg(feature = "cuda")]
        DeviceName::Cuda(number) => Ok(task.run(open_cuda(number)?)),
        #[cfg(not(feature = "cuda"))]
        DeviceName::Cuda(_) => Err(EngineError::NoDevice(format!(
            "this program is built without support for NVIDIA GPUs, so device `{name}` cannot be used: \
             build it with `--features cuda`, or use device `cpu`"
        ))),
        #[cfg(feature = "cuda")]
        DeviceName::Auto => match open_cuda(0) {
            Ok(device) => Ok(task.run(device)),
            Err(error) => {
                tracing::info!("no GPU, so the CPU is used: {error}");
                on_cpu(task)
            }
        },
        #[cfg(not(feature = "cuda"))]
        DeviceName::Auto => on_cpu(task),
    }
}

fn on_cpu<T: DeviceTask>(task: T) -> Result<T::Output> {
    let device = open_cpu()?;
    Ok(in_pool(|| task.run(device)))
}

/// Runs `f` on one of the threads that kernels share their work between: handing each kernel over from a
/// thread outside would wake and wait for one of them each time.
///
/// What `f` waits for must not itself need these threads.
pub fn in_pool<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| f())
}

/// How many threads kernels share their work between: to be called before the first is run. Without it, as
/// many as there are cores, or `RAYON_NUM_THREADS`.
pub fn set_threads(count: usize) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build_global();
    pool.map_err(|error| EngineError::NoDevice(format!("{count} threads cannot be started: {error}")))
}

/// Opens the CPU. Its memory is the program's: see [`KeptMemory`](super::KeptMemory).
pub fn open_cpu() -> Result<Cpu> {
    Ok(Cpu::default())
}

/// Opens the GPU of this number. A process uses one.
#[cfg(feature = "cuda")]
pub fn open_cuda(number: usize) -> Result<Cuda> {
    super::cuda::open(number)
}

/// Gives memory back that is kept for later: between phases, whose tensors differ in size.
pub fn empty_cache<D: Kernels>(device: &D) -> Result<()> {
    super::memory::release();
    device.give_back()
}

/// Keeps no memory for later: see [`memory::keep_nothing`](super::memory::keep_nothing).
pub fn keep_nothing<D: Kernels>(device: &D) -> Result<()> {
    super::memory::keep_nothing();
    device.give_back()
}

impl std::fmt::Display for DeviceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeviceName::Auto => f.write_str("auto"),
            DeviceName::Cpu => f.write_str("cpu"),
            DeviceName::Cuda(0) => f.write_str("cuda"),
            DeviceName::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl std::str::FromStr for DeviceName {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        match name {
            "auto" => Ok(DeviceName::Auto),
            "cpu" => Ok(DeviceName::Cpu),
            "cuda" => Ok(DeviceName::Cuda(0)),
            _ => name
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(DeviceName::Cuda)
                .ok_or_else(|| format!("unknown device `{name}`: expected `auto`, `cpu`, `cuda` or `cuda:NUMBER`")),
        }
    }
}

impl serde::Serialize for DeviceName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for DeviceName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for DeviceName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Device".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(auto|cpu|cuda(:[0-9]+)?)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    struct Sum;

    impl DeviceTask for Sum {
        type Output = Vec<f32>;

        fn run<D: Kernels>(self, device: D) -> Vec<f32> {
            Tensor::from_vec(&device, vec![1.0, 2.0], &[2]).map(|tensor| tensor.to_vec()).unwrap_or_default()
        }
    }

    #[test]
    fn names_are_read_and_written() {
        for name in ["auto", "cpu", "cuda", "cuda:3"] {
            assert_eq!(name.parse::<DeviceName>().unwrap().to_string(), name);
        }
        assert_eq!("cuda:0".parse(), Ok(DeviceName::Cuda(0)));
        for name in ["gpu", "cuda:", "cuda:-1", "CPU", ""] {
            assert!(name.parse::<DeviceName>().is_err(), "{name}");
        }
    }

    #[test]
    fn tasks_run_on_the_cpu() {
        assert_eq!(with_device(DeviceName::Cpu, Sum).unwrap(), [1.0, 2.0]);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn without_the_feature_auto_is_the_cpu_and_cuda_an_error_that_helps() {
        assert_eq!(with_device(DeviceName::Auto, Sum).unwrap(), [1.0, 2.0]);
        let error = with_device(DeviceName::Cuda(1), Sum).unwrap_err();
        assert!(matches!(error, EngineError::NoDevice(_)));
        assert!(error.to_string().contains("`cuda:1`") && error.to_string().contains("--features cuda"), "{error}");
    }
}
