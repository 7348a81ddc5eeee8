//! Time, in `CLOCK_MONOTONIC` nanoseconds everywhere.

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, programs::SkBuffContext};

/// Now; about 35 ns.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the helper takes nothing and touches nothing of ours.
    unsafe { bpf_ktime_get_ns() }
}

/// When TCP sent this packet: its own stamp on egress (include/net/tcp.h,
/// `tcp_wstamp_ns`), which saves the clock read; now, where there is none.
#[inline(always)]
pub(crate) fn sent(ctx: &SkBuffContext) -> u64 {
    // SAFETY: the context is the program's own argument; `tstamp` is a field of it.
    let stamp = unsafe { (*ctx.skb.skb).tstamp };
    if stamp == 0 { now() } else { stamp }
}
