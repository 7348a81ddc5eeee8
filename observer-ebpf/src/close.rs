//! The end of a socket.

use aya_ebpf::EbpfContext;
use aya_log_ebpf::warn;
use observer_common::{event::CLOSED, flow::FLAG_HAS_PIPE};

use crate::{
    clock,
    maps::{
        conns, pipes, ports,
        ring::{self, Full, Told},
    },
    traced::TracedSock,
};

/// Tells that a connection with at least one request is gone, and forgets it.
#[inline(always)]
pub(crate) fn on_destroy(ctx: &impl EbpfContext, sock: &impl TracedSock) -> Option<()> {
    let port = sock.port();
    // A closed socket may have let its port go already.
    if port != 0 && !ports::watched(port) {
        return None;
    }
    let cookie = sock.known_cookie()?;
    let conn = conns::get(cookie)?;
    // SAFETY: a live element; word read.
    let turn = unsafe { (*conn).request.turn };
    if turn != 0 {
        let told = Told {
            cookie,
            at_ns: clock::now(),
            kind: CLOSED,
            offset: 0,
        };
        if let Err(Full { first: true }) = ring::emit::<0>(&told, conn, |_| 0) {
            // Once a CPU; the counter has the number.
            warn!(
                ctx,
                "the event ring is full: the end of a connection was not told"
            );
        }
    }
    // SAFETY: a live element; byte reads.
    let flags = unsafe { (*conn).request.flags | (*conn).response.flags };
    if flags & FLAG_HAS_PIPE != 0 {
        pipes::remove(cookie);
    }
    conns::remove(cookie);
    Some(())
}
