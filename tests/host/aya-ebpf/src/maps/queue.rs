use std::{borrow::Borrow, collections::VecDeque, marker::PhantomData};

use crate::state;

/// `-E2BIG`: no room.
const FULL: i32 = -7;

/// `BPF_MAP_TYPE_QUEUE`.
pub struct Queue<T> {
    max_entries: u32,
    types: PhantomData<fn() -> T>,
}

impl<T: Copy + 'static> Queue<T> {
    /// With room for so many.
    pub const fn with_max_entries(max_entries: u32, _flags: u32) -> Self {
        Self {
            max_entries,
            types: PhantomData,
        }
    }

    /// Adds one.
    ///
    /// # Errors
    ///
    /// The kernel's number.
    pub fn push(&self, value: impl Borrow<T>, _flags: u64) -> Result<(), i32> {
        state::get_or(self, VecDeque::new, |waiting: &mut VecDeque<T>| {
            if waiting.len() >= self.max_entries as usize {
                return Err(FULL);
            }
            waiting.push_back(*value.borrow());
            Ok(())
        })
    }
}
