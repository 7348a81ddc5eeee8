//! A ring record, understood.

use observer_common::event::{self as wire, Header};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A request's first bytes.
    Request,
    /// More of a request's head.
    RequestMore,
    /// A response's first bytes.
    Response,
    /// More of a response's head.
    ResponseMore,
    /// Early data found its socket.
    Adopted,
    /// The socket is gone.
    Closed,
    /// Part of a request's head that overtook its first bytes.
    RequestAhead,
    /// A TFTP request that begins a transfer.
    TftpRequest,
    /// The server's first packet of a TFTP transfer.
    TftpAnswer,
    /// What may be a TFTP transfer's last block was acknowledged.
    TftpAcknowledged,
    /// One side of a TFTP transfer gave up.
    TftpError,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::Request,
        Self::RequestMore,
        Self::Response,
        Self::ResponseMore,
        Self::Adopted,
        Self::Closed,
        Self::RequestAhead,
        Self::TftpRequest,
        Self::TftpAnswer,
        Self::TftpAcknowledged,
        Self::TftpError,
    ];

    /// Its number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::Request => wire::REQUEST,
            Self::RequestMore => wire::REQUEST_MORE,
            Self::Response => wire::RESPONSE,
            Self::ResponseMore => wire::RESPONSE_MORE,
            Self::Adopted => wire::ADOPTED,
            Self::Closed => wire::CLOSED,
            Self::RequestAhead => wire::REQUEST_AHEAD,
            Self::TftpRequest => wire::TFTP_REQUEST,
            Self::TftpAnswer => wire::TFTP_ANSWER,
            Self::TftpAcknowledged => wire::TFTP_ACKNOWLEDGED,
            Self::TftpError => wire::TFTP_ERROR,
        }
    }

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::RequestMore => "request_more",
            Self::Response => "response",
            Self::ResponseMore => "response_more",
            Self::Adopted => "adopted",
            Self::Closed => "closed",
            Self::RequestAhead => "request_ahead",
            Self::TftpRequest => "tftp_request",
            Self::TftpAnswer => "tftp_answer",
            Self::TftpAcknowledged => "tftp_acknowledged",
            Self::TftpError => "tftp_error",
        }
    }

    /// The kind with this number on the wire.
    pub fn of(number: u8) -> Option<Self> {
        let at = usize::from(number).checked_sub(1)?;
        Self::ALL.get(at).copied()
    }

    /// True for those of TFTP, which have a ring of their own.
    pub fn is_tftp(self) -> bool {
        self.number() >= wire::TFTP_REQUEST
    }
}

/// An event of the kernel side.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// What happened.
    pub kind: Kind,
    /// The fixed part.
    pub header: Header,
    /// The captured bytes.
    pub data: &'a [u8],
}

impl<'a> Event<'a> {
    /// Reads a ring record; `None` if it is none of ours.
    pub fn decode(record: &'a [u8]) -> Option<Self> {
        let (header, data) = Header::split(record)?;
        let kind = Kind::of(header.kind).filter(|kind| !kind.is_tftp())?;
        Some(Self { kind, header, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_in_order() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!((kind as usize, Kind::of(kind.number())), (at, Some(kind)));
        }
    }

    #[test]
    fn an_unknown_kind_is_none_of_ours() {
        for kind in [0, wire::TFTP_REQUEST, wire::KINDS, u8::MAX] {
            let header = Header {
                kind,
                ..Header::default()
            };
            assert!(
                Event::decode(bytemuck::bytes_of(&header)).is_none(),
                "{kind}"
            );
        }
    }
}
