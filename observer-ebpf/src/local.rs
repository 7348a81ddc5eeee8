//! Clients on this host itself: their packets come over a loopback interface, also those to
//! another address of the host. A reverse proxy is such a client of the server behind it.

use aya_ebpf::programs::SkBuffContext;
use observer_common::notice;

use crate::{
    http::First,
    maps::{notices, ports},
    packet::Segment,
    settings,
};

/// The loopback interface of every namespace (`LOOPBACK_IFINDEX`, include/net/flow.h).
const LOOPBACK: u32 = 1;

/// True if the packet's client is not to be observed.
#[inline(always)]
pub(crate) fn is_left_out(ctx: &SkBuffContext) -> bool {
    settings::ignore_local() && is_local(ctx)
}

/// Tells of the first client of this kind that speaks HTTP on a port.
#[inline(always)]
pub(crate) fn note(ctx: &SkBuffContext, port: u16, segment: &Segment) {
    if is_local(ctx)
        && First::read(ctx, segment.payload_at, segment.payload_len).begins_request()
        && ports::note_local(port)
    {
        notices::tell(notice::LOCAL, port);
    }
}

/// The device it came over or leaves by, on both hooks; `ingress_ifindex` is 0 on egress.
#[inline(always)]
fn is_local(ctx: &SkBuffContext) -> bool {
    // SAFETY: the context is the program's own argument; `ifindex` is a field of it.
    unsafe { (*ctx.skb.skb).ifindex == LOOPBACK }
}
