//! What a device is still computing.

use super::Result;

/// Something that is read when it is asked for.
pub struct Later<T>(Box<dyn FnOnce() -> Result<T>>);

impl<T: 'static> Later<T> {
    /// What is known already.
    pub fn known(value: T) -> Self {
        Later(Box::new(move || Ok(value)))
    }

    /// What `read` waits for.
    pub fn new(read: impl FnOnce() -> Result<T> + 'static) -> Self {
        Later(Box::new(read))
    }

    /// Waits for it.
    pub fn get(self) -> Result<T> {
        (self.0)()
    }
}
