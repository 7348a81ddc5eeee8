//! Early data finds its socket.

use observer_common::{
    conn::{Conn, Tuple},
    event::ADOPTED,
    loss::Counter,
};

use crate::{
    clock, early,
    maps::{
        conns, pending,
        ring::{self, Told},
        stats,
    },
};

/// By a packet of the child. `at` is its place in the client's stream: a child that is
/// elsewhere has only the addresses and ports in common.
#[inline(always)]
pub(crate) fn by_packet(
    cookie: u64,
    tuple: &Tuple,
    early_data: *mut Conn,
    at: u32,
) -> Option<*mut Conn> {
    // SAFETY: a live element; word reads.
    let (start, next) = unsafe {
        (
            (*early_data).request.start_seq,
            (*early_data).request.next_seq,
        )
    };
    if at.wrapping_sub(start) > next.wrapping_sub(start) {
        stats::count(Counter::PendingCollision);
        early::end(early_data);
        return None;
    }
    take(cookie, tuple, early_data)
}

/// By the child's recv: data that came with the child's own packets has made an entry
/// already, so what is received can only be this.
#[inline(always)]
pub(crate) fn by_recv(cookie: u64, tuple: &Tuple) -> Option<*mut Conn> {
    let early = pending::get(tuple)?;
    take(cookie, tuple, early)
}

#[inline(always)]
fn take(cookie: u64, tuple: &Tuple, early: *mut Conn) -> Option<*mut Conn> {
    let told = Told {
        cookie,
        at_ns: clock::now(),
        kind: ADOPTED,
        offset: 0,
    };
    // First, so that no event of the published entry overtakes it. A lost one is counted;
    // the exchange then ends as swept.
    let _ = ring::emit::<0>(&told, early, |_| 0);
    // SAFETY: a live element, whose bytes are copied into the new one.
    let conn = conns::create(cookie, unsafe { &*early });
    // Without room, too: user space knows it by its cookie, and that its entry is not there.
    pending::remove(tuple);
    conn.ok()
}
