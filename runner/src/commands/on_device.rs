//! Where and how a spec is computed.

use crate::engine::device::{DeviceTask, with_device};
use crate::engine::{DeviceName, EngineError};
use crate::ranks::Ranks;
use crate::spec::Pipeline;

/// As [`on_device`], for one of several ranks: those of a machine take its GPUs one each, from the one that the spec
/// names on.
pub fn on_own_device<T: DeviceTask>(spec: &Pipeline, ranks: &Ranks, task: T) -> Result<T::Output, EngineError> {
    spec.engine.winograd.set();
    with_device(own(spec.device, ranks), task)
}

fn own(device: DeviceName, ranks: &Ranks) -> DeviceName {
    match device {
        DeviceName::Cuda(number) => DeviceName::Cuda(number + ranks.place().local),
        // One GPU for all would be slower than one rank.
        DeviceName::Auto if cfg!(feature = "cuda") && ranks.are_several() => DeviceName::Cuda(ranks.place().local),
        other => other,
    }
}

/// Runs `task` on the device that the spec names, computing as it says.
pub fn on_device<T: DeviceTask>(spec: &Pipeline, task: T) -> Result<T::Output, EngineError> {
    spec.engine.winograd.set();
    spec.engine.precision.set();
    with_device(spec.device, task)
}
