//! A connection that finds the table full.

use aya_ebpf::programs::SkBuffContext;
use observer_common::{flow::is_after, loss::Counter};

use crate::{
    http::First,
    maps::{ports, stats},
    packet::Segment,
    sock::Sock,
};

/// Counts the request that is lost with it. The segment that begins it counts: not those behind
/// it, none that is sent again, and nothing of a stream that is not ours.
#[inline(always)]
pub(crate) fn count(ctx: &SkBuffContext, sock: &Sock, port: u16, segment: &Segment) {
    ports::note_overflow(port);
    let is_known = sock
        .received()
        .is_some_and(|received| is_after(received.next_seq, segment.seq));
    let first = First::read(ctx, segment.payload_at, segment.payload_len);
    if !is_known && first.begins_request() {
        stats::count(Counter::TableFull);
    }
}
