//! What programs are called with.

use std::mem::MaybeUninit;

use crate::{bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes};

/// A packet.
pub struct SkBuff {
    /// The kernel's view of it.
    pub skb: *mut __sk_buff,
}

/// What a cgroup_skb program is called with.
pub struct SkBuffContext {
    /// The packet.
    pub skb: SkBuff,
}

impl SkBuffContext {
    /// Of a packet.
    pub fn new(skb: *mut __sk_buff) -> Self {
        Self {
            skb: SkBuff { skb },
        }
    }

    /// How long it is.
    #[expect(clippy::len_without_is_empty, reason = "as in aya-ebpf")]
    pub fn len(&self) -> u32 {
        // SAFETY: a packet, as `new` was told.
        unsafe { (*self.skb.skb).len }
    }

    /// The value at this place.
    ///
    /// # Errors
    ///
    /// The kernel's number, if it is not there whole.
    pub fn load<T: Copy>(&self, offset: usize) -> Result<T, i64> {
        let mut value = MaybeUninit::<T>::uninit();
        let (offset, len) = (
            u32::try_from(offset).unwrap_or(u32::MAX),
            u32::try_from(size_of::<T>()).unwrap_or(u32::MAX),
        );
        // SAFETY: a packet, and room for the value.
        let result = unsafe {
            bpf_skb_load_bytes(self.skb.skb.cast(), offset, value.as_mut_ptr().cast(), len)
        };
        if result == 0 {
            // SAFETY: written whole; programs read integers and arrays of them.
            Ok(unsafe { value.assume_init() })
        } else {
            Err(result)
        }
    }
}
