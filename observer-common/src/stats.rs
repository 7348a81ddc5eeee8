//! The slots of what the programs count about themselves, per CPU: losses first, then
//! connections.

use crate::{
    conn::{PROTOCOL_HTTP, PROTOCOL_HTTP2, PROTOCOL_OTHER, PROTOCOL_TLS},
    loss::Counter,
};

/// The protocols a connection is counted by, in slot order.
pub const PROTOCOLS: [u32; 4] = [PROTOCOL_HTTP, PROTOCOL_OTHER, PROTOCOL_TLS, PROTOCOL_HTTP2];

/// How many slots there are.
pub const SLOTS: u32 = Counter::COUNT + 4;

/// The slot where connections of this protocol are counted.
pub const fn protocol_slot(protocol: u32) -> u32 {
    Counter::COUNT + protocol - PROTOCOL_HTTP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_their_positions() {
        for (position, protocol) in (Counter::COUNT..).zip(PROTOCOLS) {
            assert_eq!(protocol_slot(protocol), position);
        }
        assert_eq!(SLOTS as usize, Counter::ALL.len() + PROTOCOLS.len());
    }
}
