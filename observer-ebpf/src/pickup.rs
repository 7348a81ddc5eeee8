//! A server process takes a request from its socket.

use aya_ebpf::EbpfContext;

use crate::{
    adopt, clock,
    maps::{conns, ports},
    traced::TracedSock,
};

/// The first recv of a turn is stamped, the others are not.
#[inline(always)]
pub(crate) fn on_recv(ctx: &impl EbpfContext, sock: &impl TracedSock) -> Option<()> {
    if !ports::watched(sock.port()) {
        return None;
    }
    let cookie = sock.cookie();
    let conn = conns::get(cookie).or_else(|| adopt::by_recv(cookie, &sock.tuple()))?;
    // SAFETY: a live element; recv is the only writer of `pickup` (under the socket's
    // lock), and of `request.turn` it reads one word.
    unsafe {
        let turn = (&raw const (*conn).request.turn).read_volatile();
        let pickup = &mut (*conn).pickup;
        if pickup.turn != turn {
            pickup.ns = clock::now();
            pickup.pid = ctx.tgid();
            pickup.turn = turn;
        }
    }
    Some(())
}
