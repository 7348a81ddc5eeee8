//! What the programs ask of a traced socket.

use observer_common::conn::Tuple;

/// However the tracepoint shows it.
pub(crate) trait TracedSock {
    /// The local port, in host order; 0 once let go.
    fn port(&self) -> u16;
    /// The same number as the packet hooks' cookie.
    fn cookie(&self) -> u64;
    /// The same; `None` if nobody has asked for it yet, and no entry has it.
    fn known_cookie(&self) -> Option<u64>;
    /// The two ends, the local one as the server.
    fn tuple(&self) -> Tuple;
}
