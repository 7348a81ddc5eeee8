//! Helpers.

/// As `aya-ebpf` has them: the kernel's own names and arguments.
pub mod generated {
    use std::{ffi::c_void, ptr, slice};

    use crate::{
        bindings::{__sk_buff, bpf_sock, bpf_tcp_sock},
        operations, state,
    };

    /// `-EFAULT`.
    const FAULT: i64 = -14;

    /// Nanoseconds.
    ///
    /// # Safety
    ///
    /// None needed; the kernel's helpers are all unsafe.
    pub unsafe fn bpf_ktime_get_ns() -> u64 {
        operations::count(|all| all.clock_reads += 1);
        state::now()
    }

    /// Copies bytes of the packet, if they are all there.
    ///
    /// # Safety
    ///
    /// `skb` is a packet, and `to` has room for `len` bytes.
    pub unsafe fn bpf_skb_load_bytes(
        skb: *const c_void,
        offset: u32,
        to: *mut c_void,
        len: u32,
    ) -> i64 {
        // SAFETY: as the caller says, and `__sk_buff::new` made it of a slice.
        let bytes = unsafe {
            let skb = &*skb.cast::<__sk_buff>();
            slice::from_raw_parts(skb.data as *const u8, skb.data_end - skb.data)
        };
        let (from, len) = (offset as usize, len as usize);
        let Some(bytes) = from.checked_add(len).and_then(|end| bytes.get(from..end)) else {
            return FAULT;
        };
        operations::count(|all| {
            all.loads += 1;
            all.loaded += len as u64;
        });
        // SAFETY: as the caller says.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to.cast(), len) };
        0
    }

    /// The cookie of the packet's socket.
    ///
    /// # Safety
    ///
    /// `skb` is a packet.
    pub unsafe fn bpf_get_socket_cookie(skb: *mut c_void) -> u64 {
        // SAFETY: as the caller says.
        let sock = unsafe { (*skb.cast::<__sk_buff>()).__bindgen_anon_2.sk };
        if sock.is_null() {
            return 0;
        }
        // SAFETY: not null.
        unsafe { (*sock).cookie }
    }

    /// There is one network namespace.
    ///
    /// # Safety
    ///
    /// None needed.
    pub unsafe fn bpf_get_netns_cookie(_skb: *mut c_void) -> u64 {
        1
    }

    /// Every socket is a full one.
    ///
    /// # Safety
    ///
    /// None needed.
    pub unsafe fn bpf_sk_fullsock(sock: *mut bpf_sock) -> *mut bpf_sock {
        sock
    }

    /// Every socket is TCP's.
    ///
    /// # Safety
    ///
    /// `sock` is a socket.
    pub unsafe fn bpf_tcp_sock(sock: *mut bpf_sock) -> *mut bpf_tcp_sock {
        // SAFETY: as the caller says.
        unsafe { &raw mut (*sock).tcp }
    }

    /// Calls `step` until it returns 1, `count` times at most.
    ///
    /// # Safety
    ///
    /// `step` is a function that takes an index and `context`.
    pub unsafe fn bpf_loop(count: u32, step: *mut c_void, context: *mut c_void, _: u64) -> i64 {
        // SAFETY: as the caller says.
        let step: unsafe extern "C" fn(u32, *mut c_void) -> i64 =
            unsafe { std::mem::transmute(step) };
        for index in 0..count {
            operations::count(|all| all.steps += 1);
            // SAFETY: as the caller says.
            if unsafe { step(index, context) } != 0 {
                return i64::from(index) + 1;
            }
        }
        count.into()
    }
}
