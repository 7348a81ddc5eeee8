//! The socket behind a packet, as cgroup_skb shows it.

use aya_ebpf::{
    bindings::bpf_sock,
    helpers::generated::{
        bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_sk_fullsock, bpf_tcp_sock,
    },
    programs::SkBuffContext,
};

use crate::settings;

/// `TCP_CLOSE` (include/net/tcp_states.h).
pub(crate) const CLOSE: u32 = 7;
/// `TCP_LISTEN`.
pub(crate) const LISTEN: u32 = 10;

/// The cookie of what has no socket of its own yet.
pub(crate) const NO_SOCKET: u64 = 0;

/// A packet's local socket.
pub(crate) struct Sock(*mut bpf_sock);

impl Sock {
    /// The packet's socket, if it has one.
    #[inline(always)]
    pub(crate) fn of(ctx: &SkBuffContext) -> Option<Self> {
        // SAFETY: the context is the program's own argument; `sk` is a field of it.
        let sk = unsafe { (*ctx.skb.skb).__bindgen_anon_2.sk };
        if sk.is_null() { None } else { Some(Self(sk)) }
    }

    /// The local port on both hooks, in host order; 0 once the socket let it go.
    #[inline(always)]
    pub(crate) fn port(&self) -> u16 {
        // SAFETY: not null; the verifier knows the type and turns this into a field read.
        let port = unsafe { (*self.0).src_port };
        (port & 0xffff) as u16
    }

    /// `TCP_*` state.
    #[inline(always)]
    pub(crate) fn state(&self) -> u32 {
        // SAFETY: as in `port`.
        unsafe { (*self.0).state }
    }

    /// True if it is bound to 127.0.0.0/8 or ::1, where no machine can boot from.
    #[inline(always)]
    pub(crate) fn bound_to_loopback(&self) -> bool {
        // SAFETY: as in `port`.
        let (v4, v6) = unsafe { ((*self.0).src_ip4, (*self.0).src_ip6) };
        let v6_loopback = v6[0] == 0 && v6[1] == 0 && v6[2] == 0 && v6[3] == 1u32.to_be();
        v4 & 0xff == 127 || v6_loopback
    }

    /// Where the stream's next byte belongs, and how many were received before this packet.
    /// Behind, while the socket's backlog is in use; only asked where the packets leave a
    /// doubt.
    #[inline(always)]
    pub(crate) fn received(&self) -> Option<Received> {
        // SAFETY: both helpers return null or a pointer of the type the verifier then knows.
        unsafe {
            let full = bpf_sk_fullsock(self.0);
            if full.is_null() {
                return None;
            }
            let tcp = bpf_tcp_sock(full);
            if tcp.is_null() {
                return None;
            }
            Some(Received {
                next_seq: (*tcp).rcv_nxt,
                bytes: (*tcp).bytes_received,
            })
        }
    }
}

/// What TCP has received on a connection.
pub(crate) struct Received {
    pub(crate) next_seq: u32,
    pub(crate) bytes: u64,
}

/// The cookie of the packet's socket: never reused while the host is up.
#[inline(always)]
pub(crate) fn cookie(ctx: &SkBuffContext) -> u64 {
    // SAFETY: the context is the program's own argument.
    unsafe { bpf_get_socket_cookie(ctx.skb.skb.cast()) }
}

/// The cookie of the network namespace of the packet's socket; 0 where the kernel does not say.
#[inline(always)]
pub(crate) fn netns(ctx: &SkBuffContext) -> u64 {
    if !settings::netns_cookies() {
        return 0;
    }
    // SAFETY: the context is the program's own argument.
    unsafe { bpf_get_netns_cookie(ctx.skb.skb.cast()) }
}
