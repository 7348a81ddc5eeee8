//! The one way up: a ring buffer that never wakes its reader in the server's context,
//! unless it is past half full.

use aya_ebpf::{macros::map, maps::RingBuf};
use observer_common::{conn::Conn, event::Record, limits};

use super::stats;
use crate::settings;

/// User space decides the size as it loads.
#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(limits::RING_BYTES, 0);

const BPF_RB_NO_WAKEUP: u64 = 1;
const BPF_RB_FORCE_WAKEUP: u64 = 2;
const BPF_RB_AVAIL_DATA: u64 = 0;
/// What the ring puts before each record, rounded up with it.
const RECORD_HEADER: u64 = 16;

/// What an event says besides the connection.
pub(crate) struct Told {
    pub(crate) cookie: u64,
    pub(crate) at_ns: u64,
    pub(crate) kind: u8,
    pub(crate) offset: u32,
}

/// The ring had no room: counted, and the event is lost.
pub(crate) struct Full {
    /// The first time on this CPU.
    pub(crate) first: bool,
}

/// Hands over one event with what `fill` captures.
///
/// `fill` gets the room for captured bytes and returns how many it used.
#[inline(always)]
pub(crate) fn emit<const N: usize>(
    told: &Told,
    conn: *const Conn,
    fill: impl FnOnce(*mut [u8; N]) -> u16,
) -> Result<(), Full> {
    let Some(mut entry) = EVENTS.reserve::<Record<N>>(0) else {
        return Err(Full {
            first: stats::count_ring_full(told.kind),
        });
    };
    let record = entry.as_mut_ptr();
    // SAFETY: the record is ours until it is submitted, and every header field is written;
    // `conn` is a live map element. The side that does not write a field may read it while
    // the other writes: each is a machine word and is read on its own.
    unsafe {
        let header = &raw mut (*record).header;
        (*header).cookie = told.cookie;
        (*header).at_ns = told.at_ns;
        (*header).offset = told.offset;
        (*header).kind = told.kind;
        (*header).reserved = 0;
        (&raw mut (*header).conn).copy_from_nonoverlapping(conn, 1);
        (*header).len = fill(&raw mut (*record).data);
    }
    entry.submit(wakeup::<N>());
    Ok(())
}

/// Whether this submit wakes the reader: where it takes the ring past its half, and not
/// with every event beyond, since waking costs the server.
#[inline(always)]
fn wakeup<const N: usize>() -> u64 {
    let (half, held) = (settings::ring_bytes() / 2, EVENTS.query(BPF_RB_AVAIL_DATA));
    if held >= half && held < half + size_of::<Record<N>>() as u64 + RECORD_HEADER {
        BPF_RB_FORCE_WAKEUP
    } else {
        BPF_RB_NO_WAKEUP
    }
}
