//! What a connection to a watched port speaks, by its first bytes.

use observer_common::conn::{PROTOCOL_HTTP, PROTOCOL_HTTP2, PROTOCOL_OTHER, PROTOCOL_TLS};

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.
    Http,
    /// TLS.
    Tls,
    /// HTTP/2 without TLS.
    Http2,
    /// Anything else.
    Other,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Http, Self::Tls, Self::Http2, Self::Other];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Http2 => "http2",
            Self::Other => "other",
        }
    }

    /// As the kernel side has it.
    pub fn wire(self) -> u32 {
        match self {
            Self::Http => PROTOCOL_HTTP,
            Self::Tls => PROTOCOL_TLS,
            Self::Http2 => PROTOCOL_HTTP2,
            Self::Other => PROTOCOL_OTHER,
        }
    }
}
