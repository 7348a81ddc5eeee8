//! Datagrams that a TFTP server's socket had no room for.

use crate::{
    maps::{ports, udp_drops},
    traced::TracedSock,
};

/// Counts one that was for a port where TFTP requests arrive.
#[inline(always)]
pub(crate) fn on_drop(sock: &impl TracedSock) {
    let port = sock.port();
    if ports::takes_tftp(port) {
        udp_drops::count(port);
    }
}
