use std::marker::PhantomData;

use crate::state;

/// `BPF_MAP_TYPE_ARRAY`.
pub struct Array<T> {
    max_entries: u32,
    types: PhantomData<fn() -> T>,
}

/// `BPF_MAP_TYPE_PERCPU_ARRAY`, on the only CPU.
pub type PerCpuArray<T> = Array<T>;

impl<T: Copy + Default + 'static> Array<T> {
    /// With so many elements.
    pub const fn with_max_entries(max_entries: u32, _flags: u32) -> Self {
        Self {
            max_entries,
            types: PhantomData,
        }
    }

    /// The element.
    pub fn get_ptr_mut(&self, index: u32) -> Option<*mut T> {
        let make = || vec![T::default(); self.max_entries as usize];
        state::get_or(self, make, |elements: &mut Vec<T>| {
            elements.get_mut(index as usize).map(std::ptr::from_mut)
        })
    }

    /// The element's value.
    pub fn get(&self, index: u32) -> Option<&T> {
        // SAFETY: an element lives until `reset`, and no program runs then.
        self.get_ptr_mut(index).map(|element| unsafe { &*element })
    }
}
