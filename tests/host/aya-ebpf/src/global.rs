use crate::state;

/// Read-only data that the loader sets; each thread has values of its own.
pub struct Global<T> {
    initial: T,
}

impl<T: Copy + 'static> Global<T> {
    /// Until it is set.
    pub const fn new(initial: T) -> Self {
        Self { initial }
    }

    /// The value.
    pub fn load(&self) -> T {
        state::get_or(self, || self.initial, |value| *value)
    }

    /// Sets it, as the loader does before the programs load.
    pub fn set(&self, to: T) {
        state::get_or(self, || self.initial, |value| *value = to);
    }
}
