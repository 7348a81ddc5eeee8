//! The slots of what the programs count about themselves, per CPU: what is lost first, then
//! connections.

use crate::{
    conn::{PROTOCOL_HTTP, PROTOCOL_HTTP2, PROTOCOL_OTHER, PROTOCOL_TLS},
    loss,
};

/// The protocols a connection is counted by, in slot order.
pub const PROTOCOLS: [u32; 4] = [PROTOCOL_HTTP, PROTOCOL_OTHER, PROTOCOL_TLS, PROTOCOL_HTTP2];

/// How many slots there are.
pub const SLOTS: u32 = loss::SLOTS + 4;

/// The slot where connections of this protocol are counted.
pub const fn protocol_slot(protocol: u32) -> u32 {
    loss::SLOTS + protocol - PROTOCOL_HTTP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_their_positions() {
        for (position, protocol) in (loss::SLOTS..).zip(PROTOCOLS) {
            assert_eq!(protocol_slot(protocol), position);
        }
        assert_eq!((SLOTS - loss::SLOTS) as usize, PROTOCOLS.len());
    }
}
