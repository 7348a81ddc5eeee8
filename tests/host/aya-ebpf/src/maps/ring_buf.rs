use std::{
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
};

use crate::{operations::count, state};

/// What the kernel puts before a record.
const RECORD_HEADER: usize = 8;

/// `BPF_MAP_TYPE_RINGBUF`.
pub struct RingBuf {
    bytes: u32,
}

#[derive(Default)]
struct Contents {
    records: Vec<Vec<u8>>,
    held: usize,
}

/// Room for a record.
pub struct RingBufEntry<T: 'static> {
    record: Box<MaybeUninit<T>>,
    ring: &'static RingBuf,
}

impl RingBuf {
    /// With room for so many bytes.
    pub const fn with_byte_size(bytes: u32, _flags: u32) -> Self {
        Self { bytes }
    }

    /// Room for a record, if there is any.
    pub fn reserve<T: 'static>(&'static self, _flags: u64) -> Option<RingBufEntry<T>> {
        let taken = (size_of::<T>() + RECORD_HEADER).next_multiple_of(8);
        let has_room = self.with(|contents| {
            let has_room = contents.held + taken <= self.bytes as usize;
            contents.held += if has_room { taken } else { 0 };
            has_room
        });
        has_room.then(|| RingBufEntry {
            // A program need not write each byte of its record.
            record: Box::new(MaybeUninit::zeroed()),
            ring: self,
        })
    }

    /// How many bytes it holds, whatever is asked.
    pub fn query(&self, _flags: u64) -> u64 {
        self.with(|contents| contents.held as u64)
    }

    /// Takes what it holds.
    pub fn drain(&self) -> Vec<Vec<u8>> {
        self.with(std::mem::take).records
    }

    fn with<R>(&self, with: impl FnOnce(&mut Contents) -> R) -> R {
        state::get_or(self, Contents::default, with)
    }
}

impl<T: 'static> RingBufEntry<T> {
    /// Hands it over.
    pub fn submit(self, _flags: u64) {
        count(|all| {
            all.records += 1;
            all.ring_bytes += size_of::<T>() as u64;
        });
        // SAFETY: all of it was written, with zeros at first.
        let bytes = unsafe {
            std::slice::from_raw_parts(self.record.as_ptr().cast::<u8>(), size_of::<T>())
        };
        self.ring
            .with(|contents| contents.records.push(bytes.to_vec()));
    }
}

impl<T> Deref for RingBufEntry<T> {
    type Target = MaybeUninit<T>;

    fn deref(&self) -> &MaybeUninit<T> {
        &self.record
    }
}

impl<T> DerefMut for RingBufEntry<T> {
    fn deref_mut(&mut self) -> &mut MaybeUninit<T> {
        &mut self.record
    }
}
