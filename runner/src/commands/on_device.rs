//! Where and how a spec is computed.

use crate::engine::EngineError;
use crate::engine::device::{DeviceTask, with_device};
use crate::spec::Pipeline;

/// Runs `task` on the device that the spec names, computing as it says.
pub fn on_device<T: DeviceTask>(spec: &Pipeline, task: T) -> Result<T::Output, EngineError> {
    spec.engine.winograd.set();
    spec.engine.precision.set();
    with_device(spec.device, task)
}
