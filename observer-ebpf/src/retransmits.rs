//! Segments that servers send again.
//!
//! They are known by their sequence numbers. `tcp_retransmit_skb` would tell of them, too, but the
//! programs of tracepoints do not run where they interrupt a process that looks at a table.

use aya_ebpf::programs::SkBuffContext;

use crate::maps::retransmits;

/// Counts payload that was sent before, in the segments that the device makes of it (`gso_segs`),
/// as TCP does (net/ipv4/tcp_output.c, `__tcp_retransmit_skb`).
#[inline(always)]
pub(crate) fn on_payload(ctx: &SkBuffContext, port: u16) {
    // SAFETY: the context is the program's own argument; `gso_segs` is a field of it.
    let segments = unsafe { (*ctx.skb.skb).gso_segs };
    // 0 is one that is not to be cut.
    let segments = if segments == 0 { 1 } else { segments };
    retransmits::count(port, u64::from(segments));
}

/// Counts a FIN without payload that was sent before.
#[inline(always)]
pub(crate) fn on_fin(port: u16) {
    retransmits::count(port, 1);
}
