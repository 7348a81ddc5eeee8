//! One TCP connection to a watched port, as the kernel keeps it.

use bytemuck::{Pod, Zeroable};

use crate::flow::{FLAG_FIN, FLAG_RST, Flow};

/// The two ends of a connection. IPv4 addresses are v4-mapped (`::ffff:a.b.c.d`), ports are
/// in host order.
///
/// Four-byte alignment, so that it can be cleared and compared by words.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
pub struct Tuple {
    /// Who asks.
    pub client: [u8; 16],
    /// Who serves; always the local end.
    pub server: [u8; 16],
    /// The client's port.
    pub client_port: u16,
    /// The watched port.
    pub server_port: u16,
}

/// The server's first `recv` after a request arrived.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Pickup {
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub ns: u64,
    /// The turn that was picked up; 0 before the first.
    pub turn: u32,
    /// The thread group that received.
    pub pid: u32,
}

/// A connection's state: the kernel's map value and the body of every event.
///
/// Each field has one writing side, since ingress and egress of one connection run on two
/// CPUs at once: `request` and `protocol` belong to ingress, `response` to egress,
/// `pickup` to recv. `tuple` is set before the entry is published.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Conn {
    /// The two ends.
    pub tuple: Tuple,
    /// One of the `PROTOCOL_*` values.
    pub protocol: u32,
    /// Bytes from the client.
    pub request: Flow,
    /// Bytes from the server.
    pub response: Flow,
    /// When the server took the request up.
    pub pickup: Pickup,
}

/// Not decided yet: the stream was joined in its middle.
pub const PROTOCOL_UNKNOWN: u32 = 0;
/// A stream that began with an HTTP/1 request.
pub const PROTOCOL_HTTP: u32 = 1;
/// A stream that began with something else: not read any further.
pub const PROTOCOL_OTHER: u32 = 2;

impl Conn {
    /// True if either side reset the connection, or both have closed it.
    pub fn is_closed(&self) -> bool {
        let (client, server) = (self.request.flags, self.response.flags);
        (client | server) & FLAG_RST != 0 || client & server & FLAG_FIN != 0
    }

    /// True while a request waits for the first byte of its answer.
    pub fn unanswered(&self) -> bool {
        self.request.turn != self.response.turn
    }
}
