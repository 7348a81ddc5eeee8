//! A record of the ring of TFTP events, understood.

use observer_common::event::TransferHeader;

use crate::model::event::Kind;

/// An event of a transfer.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// What happened.
    pub kind: Kind,
    /// The fixed part.
    pub header: TransferHeader,
    /// The packet's first bytes, from its opcode on.
    pub data: &'a [u8],
}

impl<'a> Event<'a> {
    /// Reads a ring record; `None` if it is none of ours.
    pub fn decode(record: &'a [u8]) -> Option<Self> {
        let (header, data) = TransferHeader::split(record)?;
        let kind = Kind::of(header.kind).filter(|kind| kind.is_tftp())?;
        Some(Self { kind, header, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_kinds_are_decoded() {
        for number in 0..=u8::MAX {
            let header = TransferHeader {
                kind: number,
                ..TransferHeader::default()
            };
            let is_ours = Event::decode(bytemuck::bytes_of(&header)).is_some();
            assert_eq!(is_ours, (8..=11).contains(&number), "{number}");
        }
    }
}
