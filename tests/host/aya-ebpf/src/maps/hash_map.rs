use std::{borrow::Borrow, collections, hash::Hash, marker::PhantomData};

use crate::{operations::count, state};

/// Create only.
const NOEXIST: u64 = 1;
/// `-EEXIST`.
const EXISTS: i32 = -17;
/// `-E2BIG`: no free element.
const FULL: i32 = -7;

/// `BPF_MAP_TYPE_HASH`.
pub struct HashMap<K, V> {
    max_entries: u32,
    types: PhantomData<fn() -> (K, V)>,
}

struct Contents<K, V> {
    // Boxed: a program holds on to an element while others come.
    elements: collections::HashMap<K, Box<V>>,
    /// A removed element can still be read, and written, by the program that runs.
    removed: Vec<Box<V>>,
}

impl<K: Hash + Eq + Copy + 'static, V: Copy + 'static> HashMap<K, V> {
    /// With room for so many.
    pub const fn with_max_entries(max_entries: u32, _flags: u32) -> Self {
        Self {
            max_entries,
            types: PhantomData,
        }
    }

    /// The element, if it is there.
    pub fn get_ptr_mut(&self, key: impl Borrow<K>) -> Option<*mut V> {
        count(|all| all.lookups += 1);
        self.with(|contents| {
            let element = contents.elements.get_mut(key.borrow())?;
            Some(std::ptr::from_mut(&mut **element))
        })
    }

    /// Makes the element, or writes over it.
    ///
    /// # Errors
    ///
    /// The kernel's number.
    pub fn insert(
        &self,
        key: impl Borrow<K>,
        value: impl Borrow<V>,
        flags: u64,
    ) -> Result<(), i32> {
        count(|all| all.updates += 1);
        self.with(|contents| {
            let room = contents.elements.len() < self.max_entries as usize;
            match contents.elements.get_mut(key.borrow()) {
                Some(_) if flags == NOEXIST => return Err(EXISTS),
                None if !room => return Err(FULL),
                // The kernel gives it another place.
                Some(element) => {
                    let old = std::mem::replace(element, Box::new(*value.borrow()));
                    contents.removed.push(old);
                }
                None => {
                    let value = Box::new(*value.borrow());
                    contents.elements.insert(*key.borrow(), value);
                }
            }
            Ok(())
        })
    }

    /// Removes the element.
    ///
    /// # Errors
    ///
    /// The kernel's number.
    pub fn remove(&self, key: impl Borrow<K>) -> Result<(), i32> {
        count(|all| all.deletes += 1);
        self.with(|contents| {
            let element = contents.elements.remove(key.borrow()).ok_or(-2)?;
            contents.removed.push(element);
            Ok(())
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.with(|contents| contents.elements.len())
    }

    /// No program runs: what was removed is gone.
    pub fn settle(&self) {
        self.with(|contents| contents.removed.clear());
    }

    fn with<R>(&self, with: impl FnOnce(&mut Contents<K, V>) -> R) -> R {
        let make = || Contents {
            elements: collections::HashMap::new(),
            removed: Vec::new(),
        };
        state::get_or(self, make, with)
    }
}
