//! What the kernel tells: a few events a request, none a packet.

use bytemuck::{Pod, Zeroable};

use crate::{
    conn::Conn,
    limits::TFTP_CAPTURED,
    tftp::{Peer, Transfer},
};

/// A request's first bytes; the response counters are still those of the turn before.
pub const REQUEST: u8 = 1;
/// A further piece of a request's head.
pub const REQUEST_MORE: u8 = 2;
/// A response's first bytes.
pub const RESPONSE: u8 = 3;
/// A further piece of a response's head.
pub const RESPONSE_MORE: u8 = 4;
/// Early data found its socket: what was told under cookie 0 and this tuple is now `cookie`.
pub const ADOPTED: u8 = 5;
/// The socket is gone.
pub const CLOSED: u8 = 6;
/// Bytes of the next turn's request that overtook its first ones.
pub const REQUEST_AHEAD: u8 = 7;

/// A TFTP request that begins a turn. From here on the body is a [`Transfer`].
pub const TFTP_REQUEST: u8 = 8;
/// A TFTP server's first packet of a turn.
pub const TFTP_ANSWER: u8 = 9;
/// What may be a TFTP transfer's last block was acknowledged.
pub const TFTP_ACKNOWLEDGED: u8 = 10;
/// One side of a TFTP transfer gave up.
pub const TFTP_ERROR: u8 = 11;

/// Above all kinds.
pub const KINDS: u8 = TFTP_ERROR + 1;

/// The fixed part of every event; `len` captured bytes follow it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Header {
    /// The socket's cookie (never reused while the host is up); 0 for early data, which is
    /// known by its tuple only.
    pub cookie: u64,
    /// When it happened, `CLOCK_MONOTONIC` nanoseconds.
    pub at_ns: u64,
    /// Where the captured bytes lie, from the turn's first byte.
    pub offset: u32,
    /// How many bytes were captured.
    pub len: u16,
    /// What happened.
    pub kind: u8,
    /// Always 0.
    pub reserved: u8,
    /// The connection as it stood.
    pub conn: Conn,
}

/// A ring record with room for `N` captured bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Record<const N: usize> {
    /// What happened.
    pub header: Header,
    /// Captured bytes; only the first `header.len` mean anything.
    pub data: [u8; N],
}

impl Header {
    /// Splits a ring record into its header and its captured bytes; `None` if it is shorter
    /// than it says.
    pub fn split(record: &[u8]) -> Option<(Self, &[u8])> {
        split(record, |header: &Self| header.len)
    }
}

/// The fixed part of a TFTP event, in a ring of their own; `len` captured bytes of the packet,
/// from its opcode on, follow it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct TransferHeader {
    /// Whose transfer.
    pub peer: Peer,
    /// When it happened, `CLOCK_MONOTONIC` nanoseconds.
    pub at_ns: u64,
    /// How many bytes were captured.
    pub len: u16,
    /// What happened: one of the `TFTP_*` kinds.
    pub kind: u8,
    /// Always 0.
    pub reserved: [u8; 5],
    /// The transfer as it stood.
    pub transfer: Transfer,
}

/// A record of the ring of TFTP events.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct TransferRecord {
    /// What happened.
    pub header: TransferHeader,
    /// Captured bytes; only the first `header.len` mean anything.
    pub data: [u8; TFTP_CAPTURED],
}

impl TransferHeader {
    /// Splits a ring record into its header and its captured bytes; `None` if it is shorter
    /// than it says.
    pub fn split(record: &[u8]) -> Option<(Self, &[u8])> {
        split(record, |header: &Self| header.len)
    }
}

fn split<H: Pod>(record: &[u8], len: impl Fn(&H) -> u16) -> Option<(H, &[u8])> {
    let (header, rest) = record.split_at_checked(size_of::<H>())?;
    let header: H = bytemuck::pod_read_unaligned(header);
    let data = rest.get(..usize::from(len(&header)))?;
    Some((header, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(len: u16) -> [u8; size_of::<Header>() + 16] {
        let header = Header {
            cookie: 7,
            kind: REQUEST,
            len,
            ..Header::default()
        };
        let mut bytes = [0xaa; size_of::<Header>() + 16];
        bytes[..size_of::<Header>()].copy_from_slice(bytemuck::bytes_of(&header));
        bytes
    }

    #[test]
    fn split_returns_what_was_captured() {
        let bytes = record(5);
        let (header, data) = Header::split(&bytes).expect("whole");
        assert_eq!(
            (header.cookie, header.kind, data),
            (7, REQUEST, &[0xaa; 5][..])
        );
    }

    #[test]
    fn split_rejects_a_truncated_record() {
        let bytes = record(5);
        for short in [0, 1, size_of::<Header>() - 1, size_of::<Header>() + 4] {
            assert!(Header::split(&bytes[..short]).is_none(), "{short}");
        }
    }

    #[test]
    fn split_rejects_a_length_beyond_the_record() {
        assert!(Header::split(&record(17)).is_none());
    }
}
