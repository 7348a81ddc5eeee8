//! Time, in `CLOCK_MONOTONIC` nanoseconds everywhere.

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, programs::SkBuffContext};

/// Now; about 35 ns.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the helper takes nothing and touches nothing of ours.
    unsafe { bpf_ktime_get_ns() }
}

/// The time of one packet: read when it is first asked for, and the same from then on.
pub(crate) struct Instant(u64);

impl Instant {
    /// Not read yet.
    #[inline(always)]
    pub(crate) fn unread() -> Self {
        Self(0)
    }

    /// The time.
    #[inline(always)]
    pub(crate) fn ns(&mut self) -> u64 {
        if self.0 == 0 {
            self.0 = now();
        }
        self.0
    }
}

/// When TCP sent this packet: its own stamp on egress (include/net/tcp.h,
/// `tcp_wstamp_ns`), which saves the clock read; now, where there is none.
#[inline(always)]
pub(crate) fn sent(ctx: &SkBuffContext) -> u64 {
    // SAFETY: the context is the program's own argument; `tstamp` is a field of it.
    let stamp = unsafe { (*ctx.skb.skb).tstamp };
    if stamp == 0 { now() } else { stamp }
}
