//! What can go wrong on a device.

/// An operation of the engine failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The device refused: out of memory, a driver error.
    #[error("the device failed in {operation}: {message}")]
    Device {
        /// The operation that was under way.
        operation: &'static str,
        /// The device's own words.
        message: String,
    },
    /// The shapes of the operands do not go together. Planning rules this out, so it is a bug.
    #[error("{operation} cannot take shapes {shapes:?}")]
    Shapes {
        /// The operation that was asked for.
        operation: &'static str,
        /// The operands' shapes.
        shapes: Vec<Vec<usize>>,
    },
    /// An operation from outside of the engine failed: in its own words.
    #[error("{0}")]
    Foreign(String),
    /// An operation from outside of the engine failed on the way back.
    #[error("{error}")]
    Back {
        /// Where it is: what [`crate::Tape::enter`] was given.
        place: usize,
        /// What it said.
        error: Box<EngineError>,
    },
    /// The device asked for is not there, or not built in.
    #[error("{0}")]
    NoDevice(String),
}

impl EngineError {
    /// Whether the device has not the memory that was asked for.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            // As cudarc prints the driver's code, and cuBLAS's.
            EngineError::Device { message, .. } => {
                message.contains("CUDA_ERROR_OUT_OF_MEMORY") || message.contains("CUBLAS_STATUS_ALLOC_FAILED")
            }
            EngineError::Back { error, .. } => error.is_out_of_memory(),
            _ => false,
        }
    }

    /// Puts the operation's name to a device's error.
    pub fn device<E: std::fmt::Display>(operation: &'static str) -> impl FnOnce(E) -> EngineError {
        move |error| EngineError::Device { operation, message: error.to_string() }
    }
}
