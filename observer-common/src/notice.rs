//! What the kernel side tells once a port: a word in a queue of its own, so that a full event
//! ring loses none.

/// A listener's first packet made its port a watched one.
pub const LEARNED: u16 = 1;
/// A client on this host itself asked on this port, in HTTP.
pub const LOCAL: u16 = 2;

/// How many wait at most; user space takes them each second.
pub const WAITING: u32 = 4_096;

/// What and where, in a word.
pub const fn pack(what: u16, port: u16) -> u32 {
    ((what as u32) << 16) | port as u32
}

/// What, and on which port.
pub const fn unpack(notice: u32) -> (u16, u16) {
    ((notice >> 16) as u16, (notice & 0xffff) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_back() {
        for (what, port) in [(LEARNED, 80), (LOCAL, u16::MAX), (LEARNED, 1)] {
            assert_eq!(unpack(pack(what, port)), (what, port));
        }
    }
}
