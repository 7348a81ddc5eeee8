//! TFTP transfers by the client's end, and the ring that tells of them: one of their own, so that
//! no flood of HTTP requests loses one, nor the other way round.

use aya_ebpf::{
    macros::map,
    maps::{HashMap, RingBuf},
    programs::SkBuffContext,
};
use observer_common::{
    event::TransferRecord,
    limits::{TFTP_CAPTURED, TRANSFER_RING_BYTES, TRANSFERS as MAX},
    loss::Counter,
    tftp::{DATA, HEADER, Peer, Transfer},
};

use super::stats;
use crate::{capture, packet::Datagram};

#[map]
static TRANSFERS: HashMap<Peer, Transfer> = HashMap::with_max_entries(MAX, 0);

#[map]
static TRANSFER_EVENTS: RingBuf = RingBuf::with_byte_size(TRANSFER_RING_BYTES, 0);

/// Read-only, so that a new entry takes no room on the stack.
// SAFETY: zeros are a value of it.
static EMPTY: Transfer = unsafe { core::mem::zeroed() };

/// Create only: another CPU may have been first.
const BPF_NOEXIST: u64 = 1;
const BPF_RB_NO_WAKEUP: u64 = 1;
const MAX_CAPTURED: u32 = TFTP_CAPTURED as u32;

/// The transfer of this client.
#[inline(always)]
pub(crate) fn get(peer: &Peer) -> Option<*mut Transfer> {
    TRANSFERS.get_ptr_mut(peer)
}

/// The same, begun if there is none; `None` when the table is full, which is counted.
#[inline(always)]
pub(crate) fn get_or_create(peer: &Peer) -> Option<*mut Transfer> {
    if let Some(transfer) = get(peer) {
        return Some(transfer);
    }
    // Present is as good.
    let _ = TRANSFERS.insert(peer, &EMPTY, BPF_NOEXIST);
    let transfer = get(peer);
    if transfer.is_none() {
        stats::count(Counter::TableFull);
    }
    transfer
}

/// Hands over one event with the datagram's first `len` bytes. Where the ring is full that is
/// counted.
#[inline(always)]
pub(crate) fn tell(
    ctx: &SkBuffContext,
    kind: u8,
    peer: &Peer,
    transfer: *const Transfer,
    datagram: &Datagram,
    at_ns: u64,
) {
    let Some(mut entry) = TRANSFER_EVENTS.reserve::<TransferRecord>(0) else {
        stats::count_ring_full(kind);
        return;
    };
    // Of a file no byte.
    let most = if datagram.words[0] == DATA {
        HEADER
    } else {
        MAX_CAPTURED
    };
    let len = if datagram.payload_len > most {
        most
    } else {
        datagram.payload_len
    };
    let record = entry.as_mut_ptr();
    // SAFETY: the record is ours until it is submitted, and every header field is written;
    // `transfer` is a live map element, of which the other side's words may change meanwhile.
    unsafe {
        let header = &raw mut (*record).header;
        (*header).peer = *peer;
        (*header).at_ns = at_ns;
        (*header).kind = kind;
        (*header).reserved = [0; 5];
        (&raw mut (*header).transfer).copy_from_nonoverlapping(transfer, 1);
        let data = &raw mut (*record).data;
        (*header).len = capture::load(ctx, datagram.payload_at, data, len) as u16;
    }
    entry.submit(BPF_RB_NO_WAKEUP);
}
