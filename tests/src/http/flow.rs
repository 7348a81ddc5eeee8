//! What one side of a connection sent.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};

use super::head::Head;

/// The bytes of one direction by their positions. Sequence numbers have 32 bits, and wrap on a
/// connection that carries more than 4 GiB; positions have 64, and don't.
pub(super) struct Flow {
    /// What the capture kept, each byte once, as it came first.
    pieces: BTreeMap<u64, Piece>,
    /// The highest position seen so far.
    near: u64,
    sent: u64,
    acked: u64,
    /// Behind the last byte.
    pub(super) fin: Option<u64>,
}

/// Bytes that came together.
pub(super) struct Piece {
    bytes: Vec<u8>,
    pub(super) time: Duration,
    /// What their sender had of the other flow.
    pub(super) ack: Option<u64>,
}

impl Piece {
    pub(super) fn new(bytes: Vec<u8>, time: Duration, ack: Option<u64>) -> Self {
        Self { bytes, time, ack }
    }
}

/// Where relative sequence number 1 lies, the first byte of a connection. What a capture that
/// joins midway has from before its first segment is below.
pub(super) const FIRST: u64 = (1 << 32) + 1;
/// Servers take less.
const LONGEST_HEAD: usize = 1 << 16;

impl Flow {
    pub(super) fn new() -> Self {
        Self {
            pieces: BTreeMap::new(),
            near: FIRST,
            sent: FIRST,
            acked: FIRST,
            fin: None,
        }
    }

    /// The position with this number that is nearest to what was seen so far: no window is as
    /// large as half the numbers (RFC 7323, 2.3).
    pub(super) fn position(&mut self, number: u32) -> u64 {
        let [.., a, b, c, d] = self.near.to_be_bytes();
        let near = u32::from_be_bytes([a, b, c, d]);
        let distance = number.wrapping_sub(near).cast_signed();
        let position = self.near.saturating_add_signed(i64::from(distance));
        self.near = self.near.max(position);
        position
    }

    /// Takes a segment's payload, of which the capture may have kept less than its length.
    pub(super) fn take(&mut self, at: u64, len: u64, piece: Piece) {
        self.sent = self.sent.max(at + len);
        let Piece { bytes, time, ack } = piece;
        let (mut at, mut bytes) = (at, bytes.as_slice());
        while !bytes.is_empty() {
            let known = self.kept(at).map_or(0, <[u8]>::len).min(bytes.len());
            (at, bytes) = (at + known as u64, &bytes[known..]);
            let next = self.pieces.range(at..).next();
            let room = next.map_or(u64::MAX, |(next, _)| next - at);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let (new, rest) = bytes.split_at(room.min(bytes.len()));
            if !new.is_empty() {
                let bytes = new.to_vec();
                self.pieces.insert(at, Piece { bytes, time, ack });
            }
            (at, bytes) = (at + new.len() as u64, rest);
        }
    }

    /// The other side has everything before this position.
    pub(super) fn acknowledge(&mut self, position: u64) {
        self.acked = self.acked.max(position);
    }

    /// Behind the last byte that is known to have been sent: thin captures leave segments out,
    /// but have their acknowledgements, or later ones.
    pub(super) fn sent(&self) -> u64 {
        self.without_fin(self.sent.max(self.acked))
    }

    pub(super) fn acked(&self) -> u64 {
        self.without_fin(self.acked)
    }

    /// A FIN takes a number, too.
    fn without_fin(&self, position: u64) -> u64 {
        position.min(self.fin.unwrap_or(u64::MAX))
    }

    /// What came with the byte at this position.
    pub(super) fn piece(&self, at: u64) -> Option<&Piece> {
        let (start, piece) = self.pieces.range(..=at).next_back()?;
        (at < start + piece.bytes.len() as u64).then_some(piece)
    }

    /// The kept bytes from this position on, of one piece.
    pub(super) fn kept(&self, at: u64) -> Option<&[u8]> {
        let (start, piece) = self.pieces.range(..=at).next_back()?;
        let rest = piece.bytes.get(usize::try_from(at - start).ok()?..)?;
        (!rest.is_empty()).then_some(rest)
    }

    /// Where pieces begin, from this position on.
    pub(super) fn starts(&self, from: u64) -> impl Iterator<Item = u64> {
        self.pieces.range(from..).map(|(start, _)| *start)
    }

    /// The kept bytes from this position on, without a gap.
    pub(super) fn read(&self, at: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(more) = self.kept(at + bytes.len() as u64) {
            bytes.extend_from_slice(more);
            if bytes.len() >= LONGEST_HEAD {
                break;
            }
        }
        bytes
    }

    /// The head at this position, once its first line is whole. If `is_one` denies the bytes
    /// there, or nothing was sent yet, there is none.
    pub(super) fn head(&self, at: u64, is_one: fn(&[u8]) -> bool) -> Result<Option<Head>> {
        let bytes = self.read(at);
        let head = Head::read(&bytes);
        let is_whole = head.as_ref().is_some_and(|head| head.is_whole);
        let is_short = bytes.len() < LONGEST_HEAD;
        let is_possible = bytes.is_empty() || is_one(&bytes);
        let lacks = is_possible && is_short && !is_whole && at + (bytes.len() as u64) < self.sent();
        ensure!(!lacks, "the capture lacks bytes of a head");
        Ok(head.filter(|_| is_possible))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: &[u8]) -> Piece {
        Piece {
            bytes: bytes.to_vec(),
            time: Duration::ZERO,
            ack: None,
        }
    }

    #[test]
    fn positions_go_on_behind_four_gibibytes() {
        let mut flow = Flow::new();
        let mut expected = FIRST;
        for _ in 0..20 {
            expected += 1 << 29;
            let number = u32::try_from(expected % (1 << 32)).expect("32 bits");
            assert_eq!(flow.position(number), expected);
            // What comes again does not wrap.
            assert_eq!(flow.position(number.wrapping_sub(1000)), expected - 1000);
        }
    }

    #[test]
    fn each_byte_is_kept_once() {
        let mut flow = Flow::new();
        for (at, bytes) in [
            (10, &b"cd"[..]),
            (14, b"g"),
            (9, b"bXXefX"),
            (8, b"aX"),
            (15, b"h"),
        ] {
            flow.take(FIRST + at, bytes.len() as u64, piece(bytes));
        }
        assert_eq!(flow.read(FIRST + 8), b"abcdefgh");
        assert_eq!(flow.read(FIRST + 7), b"");
        assert_eq!(flow.sent(), FIRST + 16);
    }

    #[test]
    fn a_fin_is_no_byte() {
        let mut flow = Flow::new();
        flow.acknowledge(FIRST + 11);
        flow.take(FIRST + 11, 0, piece(b""));
        flow.fin = Some(FIRST + 10);
        assert_eq!((flow.acked(), flow.sent()), (FIRST + 10, FIRST + 10));
    }
}
