//! Segments that servers send again.

use crate::{
    maps::{ports, retransmits},
    traced::TracedSock,
};

/// Counts those of a socket at a watched port: of a server, for a client's port is its own.
#[inline(always)]
pub(crate) fn on_retransmit(sock: &impl TracedSock, segments: u64) {
    let port = sock.port();
    if segments != 0 && ports::watched(port) {
        retransmits::count(port, segments);
    }
}
