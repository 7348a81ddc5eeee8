//! What is classified: protocol, access and target of one request.

use serde::Deserialize;

/// The protocol a request arrived by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proto {
    /// HTTP/1.x.
    Http,
    /// TFTP.
    Tftp,
}

/// What a request does to the resource it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// GET, HEAD; RRQ.
    Read,
    /// POST, PUT, PATCH, DELETE; WRQ.
    Write,
    /// Every other method: such a request is `other`, whatever it names.
    Other,
}

impl Access {
    /// The access of a method as it stands on the wire; methods are case-sensitive (RFC 9110 9.1).
    #[must_use]
    pub fn of(proto: Proto, method: &[u8]) -> Self {
        match (proto, method) {
            (Proto::Http, b"GET" | b"HEAD") | (Proto::Tftp, b"RRQ") => Self::Read,
            (Proto::Http, b"POST" | b"PUT" | b"PATCH" | b"DELETE") | (Proto::Tftp, b"WRQ") => {
                Self::Write
            }
            (Proto::Http | Proto::Tftp, _) => Self::Other,
        }
    }
}

/// One request, as far as its class depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The protocol.
    pub proto: Proto,
    /// What the request does.
    pub access: Access,
    /// The raw request-target or TFTP file name: any bytes, of any length.
    pub target: &'a [u8],
}
