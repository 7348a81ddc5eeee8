//! The kernel's structures, as far as they are read.
#![expect(non_camel_case_types, reason = "the kernel's names")]

use std::ptr;

/// A packet, from its IP header on.
pub struct __sk_buff {
    /// Where it is.
    pub data: usize,
    /// Behind the bytes that are there.
    pub data_end: usize,
    /// How long it is, which may be more than is there.
    pub len: u32,
    /// The device.
    pub ifindex: u32,
    /// When it was sent, or 0.
    pub tstamp: u64,
    /// Segments that the device makes of it; 0 of one that is not to be cut.
    pub gso_segs: u32,
    /// Where the generated bindings have a union.
    pub __bindgen_anon_2: SkbSock,
}

/// The packet's socket.
pub struct SkbSock {
    /// Null if it has none.
    pub sk: *mut bpf_sock,
}

/// A socket.
#[derive(Clone, Debug, Default)]
pub struct bpf_sock {
    /// Its port.
    pub src_port: u32,
    /// `TCP_*`.
    pub state: u32,
    /// Its address, in network order.
    pub src_ip4: u32,
    /// The same of IPv6.
    pub src_ip6: [u32; 4],
    /// What `bpf_get_socket_cookie` says.
    pub cookie: u64,
    /// What `bpf_tcp_sock` says.
    pub tcp: bpf_tcp_sock,
}

/// What TCP knows.
#[derive(Clone, Debug, Default)]
pub struct bpf_tcp_sock {
    /// The next byte that it expects.
    pub rcv_nxt: u32,
    /// What it has received.
    pub bytes_received: u64,
}

impl __sk_buff {
    /// A packet of which `bytes` are there, `len` in all.
    pub fn new(bytes: &[u8], len: u32, sock: Option<&mut bpf_sock>) -> Self {
        let data = bytes.as_ptr() as usize;
        Self {
            data,
            data_end: data + bytes.len(),
            len,
            ifindex: 0,
            tstamp: 0,
            gso_segs: 0,
            __bindgen_anon_2: SkbSock {
                sk: sock.map_or(ptr::null_mut(), ptr::from_mut),
            },
        }
    }
}
