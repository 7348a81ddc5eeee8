//! What numbers may be, on the command line and in the file.

use std::ops::RangeInclusive;

use observer_common::limits::{CONNS_MAX, RING_BYTES_MAX};
use rustix::param::page_size;

/// Ports of TCP and UDP.
pub(crate) const PORT: RangeInclusive<i64> = 1..=65_535;
/// Seconds without an acknowledgement.
pub(crate) const STALLED_AFTER: RangeInclusive<i64> = 1..=3_600;
/// Connections observed at one time.
pub(crate) const CONNECTIONS: RangeInclusive<i64> = 1..=CONNS_MAX as i64;

/// What the kernel takes as the size of a ring.
pub(crate) fn ring_bytes(bytes: i64) -> Result<u32, String> {
    let page = page_size();
    let fits = |bytes: &u32| {
        bytes.is_power_of_two() && *bytes as usize >= page && *bytes <= RING_BYTES_MAX
    };
    u32::try_from(bytes).ok().filter(fits).ok_or_else(|| {
        format!("{bytes} is not a power of two from {page} (a page) to {RING_BYTES_MAX}")
    })
}

#[cfg(test)]
mod tests {
    use observer_common::limits::RING_BYTES;

    use super::*;

    #[test]
    fn a_ring_is_a_power_of_two_of_a_page_or_more() {
        let page = i64::try_from(page_size()).expect("small");
        for (bytes, taken) in [
            (page, true),
            (RING_BYTES.into(), true),
            (RING_BYTES_MAX.into(), true),
            (page / 2, false),
            (page + 1, false),
            (3 * page, false),
            (0, false),
            (-page, false),
            (i64::from(RING_BYTES_MAX) * 2, false),
        ] {
            assert_eq!(ring_bytes(bytes).is_ok(), taken, "{bytes}");
        }
    }
}
