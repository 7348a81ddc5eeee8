//! One TFTP transfer (RFC 1350), as the kernel keeps it, and how each packet changes it.
//!
//! A transfer is known by the client's address and port: a server answers from any port of its
//! own, and maybe from another address. The kernel side reads no file name and no option; it
//! unwraps block numbers, counts and stamps.

use bytemuck::{Pod, Zeroable};

/// Read request.
pub const RRQ: u16 = 1;
/// Write request.
pub const WRQ: u16 = 2;
/// A block of the file.
pub const DATA: u16 = 3;
/// A block arrived.
pub const ACK: u16 = 4;
/// The end, and why.
pub const ERROR: u16 = 5;
/// Option acknowledgement (RFC 2347).
pub const OACK: u16 = 6;

/// What DATA and ACK begin with: opcode and block number.
pub const HEADER: u32 = 4;
/// Payload of a full block, unless an option says otherwise.
pub const BLOCK: u32 = 512;

/// How many bytes of a request are [`digest`]ed.
pub const DIGESTED: usize = 128;
/// A request that nobody answered, and that was not repeated for so long, is over.
pub const UNANSWERED_NS: u64 = 60_000_000_000;

/// Who transfers: the client's end, in its network namespace.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
pub struct Peer {
    /// The address; IPv4 as `::ffff:a.b.c.d`.
    pub address: [u8; 16],
    /// The namespace's cookie; 0 where the kernel does not say it to packet programs.
    pub netns: u64,
    /// The port, in host order.
    pub port: u16,
    /// Always 0.
    pub reserved: [u16; 3],
}

/// What one side has sent in this turn.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Side {
    /// Its first packet, `CLOCK_MONOTONIC` nanoseconds; of the client its request.
    pub first_ns: u64,
    /// Its latest packet.
    pub last_ns: u64,
    /// Its latest packet that moved the transfer: an option acknowledgement, or a block that is
    /// new.
    pub moved_ns: u64,
    /// The highest block that it sent or acknowledged, counted on where the number wraps; see
    /// [`blocks`].
    pub blocks: u64,
    /// Payload of its blocks, each once.
    pub bytes: u64,
    /// Which transfer of this peer, from 1; the server's is behind until it answers.
    pub turn: u32,
    /// Packets that it sent again: blocks, acknowledgements, requests.
    pub repeats: u32,
    /// Payload of its first block: of a full one, if another follows.
    pub block_len: u32,
    /// Payload of its highest block.
    pub last_len: u32,
    /// The local port that it speaks to (the client) or from (the server): the server's TID.
    pub tid: u16,
    /// `SIDE_*` flags.
    pub flags: u16,
    /// The code of its first ERROR.
    pub error: u16,
    /// The longest time between two of its packets, in milliseconds, as far as it can be said.
    pub gap_ms: u16,
}

/// It sent an ERROR, which ended the turn.
pub const SIDE_ERROR: u16 = 1;
/// It sent an option acknowledgement.
pub const SIDE_OACK: u16 = 2;
/// It (the client) asked to write.
pub const SIDE_WRITES: u16 = 4;
/// It acknowledged something, if only options.
pub const SIDE_ACKED: u16 = 8;

/// What the client sent; written by ingress only.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Client {
    /// Its packets of this turn.
    pub side: Side,
    /// Its latest request, [`digest`]ed.
    pub request: u64,
    /// When that came.
    pub request_ns: u64,
    /// To which port.
    pub request_port: u16,
    /// Always 0.
    pub reserved: [u16; 3],
}

/// What the server sent; written by egress only.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Server {
    /// Its packets of this turn, from the port that the client speaks to.
    pub side: Side,
    /// Packets of this turn from other ports, and of turns before.
    pub strays: u64,
}

/// A transfer's state: the kernel's map value and the body of every event.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Transfer {
    /// What the client sent.
    pub client: Client,
    /// What the server sent.
    pub server: Server,
}

/// What one side knows of the other, which another CPU may be writing: words, each read once.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// [`Side::turn`].
    pub turn: u32,
    /// [`Side::block_len`].
    pub block_len: u32,
    /// [`Side::last_len`].
    pub last_len: u32,
    /// [`Side::tid`].
    pub tid: u16,
    /// [`Side::flags`].
    pub flags: u16,
    /// [`Side::blocks`].
    pub blocks: u64,
}

/// A packet between a client and a server.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// One of the opcodes above.
    pub opcode: u16,
    /// Block number, or error code.
    pub number: u16,
    /// Bytes behind the first four.
    pub len: u32,
    /// The server's end.
    pub local_port: u16,
    /// When, `CLOCK_MONOTONIC` nanoseconds.
    pub at_ns: u64,
}

/// What a packet is worth telling user space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Nothing: it is in the counters.
    Nothing,
    /// A turn begins.
    Request,
    /// The server answers: the first packet of its turn.
    Answer,
    /// What may be the last block was acknowledged: one that is shorter than the first, or the
    /// first where that need not be a full one.
    Acknowledged,
    /// A side gave up.
    Error,
}

/// A block number that skips 0 when it wraps: in `Side::blocks`, beside the number.
const SKIPS_ZERO: u64 = 1 << 63;

/// How many blocks [`Side::blocks`] says.
#[inline(always)]
pub const fn blocks(packed: u64) -> u64 {
    packed & !SKIPS_ZERO
}

/// The block number on the wire of the highest block.
#[inline(always)]
const fn wire(packed: u64) -> u16 {
    let count = blocks(packed);
    if packed & SKIPS_ZERO != 0 && count != 0 {
        (((count - 1) % 0xffff + 1) & 0xffff) as u16
    } else {
        (count & 0xffff) as u16
    }
}

/// How far `number` is from the highest block, in blocks: ahead, or behind.
#[inline(always)]
const fn distance(packed: u64, number: u16) -> i32 {
    let wire = wire(packed) as i32;
    let mut distance = number as i32 - wire;
    let modulus = if packed & SKIPS_ZERO != 0 {
        0xffff
    } else {
        0x1_0000
    };
    if distance > 0x7fff {
        distance -= modulus;
    } else if distance < -0x7fff {
        distance += modulus;
    }
    distance
}

impl Side {
    #[inline(always)]
    fn begin(&mut self, turn: u32, packet: &Packet) {
        *self = Self {
            first_ns: packet.at_ns,
            last_ns: packet.at_ns,
            moved_ns: packet.at_ns,
            turn,
            tid: packet.local_port,
            ..Self::zeroed()
        };
    }

    #[inline(always)]
    fn heard(&mut self, at_ns: u64) {
        let gap_ms = at_ns.saturating_sub(self.last_ns) / 1_000_000;
        let gap_ms = u16::try_from(gap_ms).unwrap_or(u16::MAX);
        if gap_ms > self.gap_ms {
            self.gap_ms = gap_ms;
        }
        self.last_ns = at_ns;
    }

    /// Takes a block. Of who sends them here each is the next or an old one; of who sends them
    /// from afar (`in_order`), what is beyond the next was overtaken or lost: it is sent again.
    #[inline(always)]
    fn data(&mut self, packet: &Packet, in_order: bool) {
        let mut distance = distance(self.blocks, packet.number);
        if self.blocks == 0xffff && packet.number == 1 {
            // Block 0 was left out, at the first wrap: it always is.
            self.blocks |= SKIPS_ZERO;
            distance = 1;
        }
        if distance <= 0 {
            self.repeats = self.repeats.wrapping_add(1);
            return;
        }
        if in_order && distance != 1 {
            return;
        }
        if blocks(self.blocks) == 0 {
            self.block_len = packet.len;
        }
        self.blocks = self.blocks.wrapping_add(u64::from(distance.unsigned_abs()));
        self.bytes = self.bytes.wrapping_add(u64::from(packet.len));
        self.last_len = packet.len;
        self.moved_ns = packet.at_ns;
    }

    /// Takes an acknowledgement of what the other side `sent` ([`Side::blocks`]); true if it is
    /// the first of all of it.
    #[inline(always)]
    fn ack(&mut self, packet: &Packet, sent: u64) -> bool {
        let distance = distance(sent, packet.number);
        let behind = u64::from(distance.unsigned_abs());
        if distance > 0 || behind > blocks(sent) {
            return false;
        }
        let (acked, before) = (blocks(sent) - behind, blocks(self.blocks));
        if acked > before {
            self.blocks = acked;
            self.moved_ns = packet.at_ns;
        } else if self.flags & SIDE_ACKED != 0 {
            self.repeats = self.repeats.wrapping_add(1);
        }
        self.flags |= SIDE_ACKED;
        acked > before && distance == 0
    }

    /// Takes what a server sends within its turn.
    #[inline(always)]
    fn sends(&mut self, client: &Seen, packet: &Packet, writes: bool) -> Tells {
        if packet.opcode == ERROR {
            self.flags |= SIDE_ERROR;
            self.error = packet.number;
            return Tells::Error;
        }
        if packet.opcode == OACK {
            let again = self.flags & SIDE_OACK != 0;
            self.repeats = self.repeats.wrapping_add(u32::from(again));
            self.flags |= SIDE_OACK;
        }
        if packet.opcode == DATA && !writes {
            self.data(packet, false);
        }
        if packet.opcode == ACK
            && writes
            && self.ack(packet, client.blocks)
            && client.may_be_over(self.flags & SIDE_OACK != 0)
        {
            return Tells::Acknowledged;
        }
        Tells::Nothing
    }
}

impl Seen {
    /// Of one that nobody writes.
    pub fn of(side: &Side) -> Self {
        // SAFETY: a live value.
        unsafe { Self::read(side) }
    }

    /// Reads it.
    ///
    /// # Safety
    ///
    /// `side` is valid for reads. Somebody else may be writing it.
    #[inline(always)]
    pub unsafe fn read(side: *const Side) -> Self {
        // SAFETY: as above; each field is a word that is read on its own.
        unsafe {
            Self {
                turn: (&raw const (*side).turn).read_volatile(),
                block_len: (&raw const (*side).block_len).read_volatile(),
                last_len: (&raw const (*side).last_len).read_volatile(),
                tid: (&raw const (*side).tid).read_volatile(),
                flags: (&raw const (*side).flags).read_volatile(),
                blocks: (&raw const (*side).blocks).read_volatile(),
            }
        }
    }

    /// True if its highest block may be its last: it is shorter than the first, or the first,
    /// unless that is full.
    #[inline(always)]
    fn may_be_over(&self, has_options: bool) -> bool {
        if blocks(self.blocks) == 1 {
            self.last_len < BLOCK || has_options
        } else {
            self.last_len < self.block_len
        }
    }
}

impl Client {
    /// Takes a request. One that says the same again, while nothing came of the last but maybe an
    /// answer that was not acknowledged, is the same request.
    #[inline(always)]
    pub fn on_request(&mut self, server: &Seen, packet: &Packet, digest: u64) -> Tells {
        let side = &mut self.side;
        let refused = server.turn == side.turn && server.flags & SIDE_ERROR != 0;
        let is_same = side.turn != 0
            && digest == self.request
            && packet.local_port == self.request_port
            && packet.at_ns.wrapping_sub(self.request_ns) < UNANSWERED_NS
            && blocks(side.blocks) == 0
            && side.flags & SIDE_ERROR == 0
            && !refused;
        self.request_ns = packet.at_ns;
        if is_same {
            side.repeats = side.repeats.wrapping_add(1);
            return Tells::Nothing;
        }
        self.request = digest;
        self.request_port = packet.local_port;
        side.begin(side.turn.wrapping_add(1), packet);
        // Which answer it takes is not known yet.
        side.tid = 0;
        if packet.opcode == WRQ {
            side.flags = SIDE_WRITES;
        }
        Tells::Request
    }

    /// Takes what else it sends.
    #[inline(always)]
    pub fn on_packet(&mut self, server: &Seen, packet: &Packet) -> Tells {
        let side = &mut self.side;
        if server.turn != side.turn || side.flags & SIDE_ERROR != 0 {
            // To a transfer that is over.
            return Tells::Nothing;
        }
        if packet.local_port != server.tid {
            // It may take another of two answers. An ERROR refuses that one only.
            if side.tid == 0 && packet.opcode != ERROR {
                side.tid = packet.local_port;
            }
            return Tells::Nothing;
        }
        side.tid = packet.local_port;
        side.heard(packet.at_ns);
        let writes = side.flags & SIDE_WRITES != 0;
        if packet.opcode == ERROR {
            side.flags |= SIDE_ERROR;
            side.error = packet.number;
            return Tells::Error;
        }
        if packet.opcode == DATA && writes {
            side.data(packet, true);
        }
        if packet.opcode == ACK
            && !writes
            && side.ack(packet, server.blocks)
            && server.may_be_over(server.flags & SIDE_OACK != 0)
        {
            return Tells::Acknowledged;
        }
        Tells::Nothing
    }
}

impl Server {
    /// Takes what it sends, from any port.
    #[inline(always)]
    pub fn on_packet(&mut self, client: &Seen, packet: &Packet) -> Tells {
        let side = &mut self.side;
        let writes = client.flags & SIDE_WRITES != 0;
        let is_new = side.turn != client.turn;
        let is_main = packet.local_port == side.tid;
        let is_chosen = !is_main && packet.local_port == client.tid;
        if is_new || is_chosen {
            // What is left of the transfer before does not answer this request.
            if is_new && !packet.begins(writes) {
                self.strays = self.strays.wrapping_add(1);
                return Tells::Nothing;
            }
            // Both answered the same request, so with the same options.
            let options = if is_new { 0 } else { side.flags & SIDE_OACK };
            side.begin(client.turn, packet);
            side.flags = options;
            let _ = side.sends(client, packet, writes);
            return Tells::Answer;
        }
        if !is_main {
            self.strays = self.strays.wrapping_add(1);
            return Tells::Nothing;
        }
        if side.flags & SIDE_ERROR != 0 {
            return Tells::Nothing;
        }
        side.heard(packet.at_ns);
        side.sends(client, packet, writes)
    }
}

impl Packet {
    /// True if a server may begin with it.
    #[inline(always)]
    fn begins(&self, writes: bool) -> bool {
        match self.opcode {
            DATA => !writes && self.number == 1,
            ACK => writes && self.number == 0,
            ERROR | OACK => true,
            _ => false,
        }
    }
}

/// What tells one request from another: its length, and its first bytes as far as names differ.
#[inline(always)]
pub fn digest(words: &[u64; DIGESTED / 8], len: u32) -> u64 {
    // Knuth's multiplicative hash.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut digest = u64::from(len);
    let mut i = 0;
    while i < DIGESTED / 8 {
        digest = (digest ^ words[i]).wrapping_mul(FACTOR).rotate_left(31);
        i += 1;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHOSEN: u16 = 40_000;

    /// What each packet tells, and the state that it leaves.
    #[derive(Default)]
    struct Wire {
        state: Transfer,
        now: u64,
    }

    impl Wire {
        fn packet(&mut self, port: u16, opcode: u16, number: u16, len: u32) -> Packet {
            self.now += 1_000_000;
            Packet {
                opcode,
                number,
                len,
                local_port: port,
                at_ns: self.now,
            }
        }

        fn asks(&mut self, opcode: u16, request: u64) -> Tells {
            let packet = self.packet(69, opcode, 0, 0);
            let server = Seen::of(&self.state.server.side);
            self.state.client.on_request(&server, &packet, request)
        }

        fn says(&mut self, port: u16, opcode: u16, number: u16, len: u32) -> Tells {
            let packet = self.packet(port, opcode, number, len);
            let server = Seen::of(&self.state.server.side);
            self.state.client.on_packet(&server, &packet)
        }

        fn answers(&mut self, port: u16, opcode: u16, number: u16, len: u32) -> Tells {
            let packet = self.packet(port, opcode, number, len);
            let client = Seen::of(&self.state.client.side);
            self.state.server.on_packet(&client, &packet)
        }

        /// Blocks up to `last`, each acknowledged; `number` says what a block is on the wire.
        fn blocks(&mut self, count: u64, last: u32, number: impl Fn(u64) -> u16) -> Tells {
            let mut tells = Tells::Nothing;
            for block in 1..=count {
                let len = if block == count { last } else { BLOCK };
                self.answers(CHOSEN, DATA, number(block), len);
                tells = self.says(CHOSEN, ACK, number(block), 0);
            }
            tells
        }
    }

    fn to_zero(block: u64) -> u16 {
        (block & 0xffff) as u16
    }

    fn to_one(block: u64) -> u16 {
        (((block - 1) % 0xffff + 1) & 0xffff) as u16
    }

    #[test]
    fn a_file_is_its_blocks() {
        for (count, last) in [(1, 0), (1, 511), (2, 0), (2, 511), (300, 7)] {
            let mut wire = Wire::default();
            assert_eq!(wire.asks(RRQ, 1), Tells::Request);
            let tells = wire.blocks(count, last, to_zero);
            assert_eq!(tells, Tells::Acknowledged, "{count} blocks");
            let Transfer { client, server } = wire.state;
            let bytes = (count - 1) * u64::from(BLOCK) + u64::from(last);
            assert_eq!((server.side.bytes, server.side.repeats), (bytes, 0));
            assert_eq!(blocks(client.side.blocks), count);
            assert_eq!((client.side.turn, server.side.turn), (1, 1));
        }
    }

    #[test]
    fn block_numbers_wrap_to_zero_or_to_one() {
        for (name, number) in [("zero", to_zero as fn(u64) -> u16), ("one", to_one)] {
            let mut wire = Wire::default();
            wire.asks(RRQ, 1);
            let count = 3 * 65_536 + 5;
            assert_eq!(wire.blocks(count, 9, number), Tells::Acknowledged, "{name}");
            let Transfer { client, server } = wire.state;
            assert_eq!(blocks(server.side.blocks), count, "{name}");
            assert_eq!(blocks(client.side.blocks), count, "{name}");
            assert_eq!(
                server.side.bytes,
                (count - 1) * u64::from(BLOCK) + 9,
                "{name}"
            );
            assert_eq!(server.side.repeats, 0, "{name}");
        }
    }

    #[test]
    fn what_is_sent_again_counts_once_and_is_a_repeat() {
        let mut wire = Wire::default();
        wire.asks(RRQ, 1);
        assert_eq!(wire.answers(CHOSEN, OACK, 0, 10), Tells::Answer);
        assert_eq!(wire.answers(CHOSEN, OACK, 0, 10), Tells::Nothing);
        wire.says(CHOSEN, ACK, 0, 0);
        // A window of four, the third of which was lost.
        for block in [1, 2, 3, 4] {
            wire.answers(CHOSEN, DATA, block, 1024);
        }
        wire.says(CHOSEN, ACK, 2, 0);
        wire.answers(CHOSEN, DATA, 3, 1024);
        wire.answers(CHOSEN, DATA, 4, 1024);
        wire.answers(CHOSEN, DATA, 5, 10);
        assert_eq!(wire.says(CHOSEN, ACK, 4, 0), Tells::Nothing);
        assert_eq!(wire.says(CHOSEN, ACK, 5, 0), Tells::Acknowledged);
        assert_eq!(wire.says(CHOSEN, ACK, 5, 0), Tells::Nothing);
        let Transfer { client, server } = wire.state;
        assert_eq!((server.side.bytes, server.side.repeats), (4 * 1024 + 10, 3));
        assert_eq!(client.side.repeats, 1);
    }

    #[test]
    fn a_request_is_repeated_until_something_came_of_it() {
        let mut wire = Wire::default();
        assert_eq!(wire.asks(RRQ, 1), Tells::Request);
        assert_eq!(wire.asks(RRQ, 1), Tells::Nothing);
        wire.answers(CHOSEN, OACK, 0, 10);
        assert_eq!(wire.asks(RRQ, 1), Tells::Nothing);
        assert_eq!(wire.asks(RRQ, 2), Tells::Request, "another file");
        wire.answers(CHOSEN, ERROR, 1, 10);
        assert_eq!(wire.asks(RRQ, 2), Tells::Request, "it was refused");
        wire.answers(CHOSEN, OACK, 0, 10);
        assert_eq!(wire.says(CHOSEN, ERROR, 0, 10), Tells::Error);
        assert_eq!(wire.asks(RRQ, 2), Tells::Request, "the client gave it up");
        wire.answers(CHOSEN, DATA, 1, BLOCK);
        wire.says(CHOSEN, ACK, 1, 0);
        assert_eq!(wire.asks(RRQ, 2), Tells::Request, "it was under way");
        wire.now += UNANSWERED_NS;
        assert_eq!(wire.asks(RRQ, 2), Tells::Request, "nobody waits so long");
        assert_eq!(wire.state.client.side.turn, 6);
    }

    /// PXELINUX asks again after 110 ms: a slow server answers twice, from two ports.
    #[test]
    fn of_two_answers_the_client_takes_one() {
        for (taken, left) in [(CHOSEN, CHOSEN + 1), (CHOSEN + 1, CHOSEN)] {
            let mut wire = Wire::default();
            wire.asks(RRQ, 1);
            wire.asks(RRQ, 1);
            wire.answers(CHOSEN, OACK, 0, 10);
            wire.answers(CHOSEN + 1, OACK, 0, 10);
            wire.says(taken, ACK, 0, 0);
            for block in 1..=3 {
                wire.answers(taken, DATA, block, if block == 3 { 5 } else { BLOCK });
                wire.answers(left, OACK, 0, 10);
                let tells = wire.says(taken, ACK, block, 0);
                // The first may be all there is, if blocks may be larger.
                assert_eq!(tells == Tells::Acknowledged, block != 2, "{block}");
            }
            let server = wire.state.server;
            assert_eq!((server.side.tid, server.side.repeats), (taken, 0));
            assert_eq!((server.side.bytes, server.strays), (2 * 512 + 5, 4));
        }
    }

    /// One port for all: what is left of a transfer is no answer to the next request.
    #[test]
    fn a_late_block_does_not_answer() {
        let mut wire = Wire::default();
        wire.asks(RRQ, 1);
        for block in 1..=3 {
            wire.answers(69, DATA, block, BLOCK);
            wire.says(69, ACK, block, 0);
        }
        assert_eq!(wire.asks(RRQ, 2), Tells::Request);
        assert_eq!(wire.answers(69, DATA, 3, BLOCK), Tells::Nothing);
        assert_eq!(wire.says(69, ACK, 3, 0), Tells::Nothing);
        assert_eq!(wire.answers(69, DATA, 1, BLOCK), Tells::Answer);
        assert_eq!(blocks(wire.state.server.side.blocks), 1);
    }

    #[test]
    fn a_file_is_written_in_order() {
        let mut wire = Wire::default();
        assert_eq!(wire.asks(WRQ, 1), Tells::Request);
        assert_eq!(wire.answers(CHOSEN, ACK, 0, 0), Tells::Answer);
        assert_eq!(wire.answers(CHOSEN, ACK, 0, 0), Tells::Nothing);
        wire.says(CHOSEN, DATA, 1, BLOCK);
        wire.says(CHOSEN, DATA, 3, 7);
        assert_eq!(wire.answers(CHOSEN, ACK, 1, 0), Tells::Nothing);
        wire.says(CHOSEN, DATA, 2, BLOCK);
        wire.says(CHOSEN, DATA, 3, 7);
        assert_eq!(wire.answers(CHOSEN, ACK, 3, 0), Tells::Acknowledged);
        let Transfer { client, server } = wire.state;
        assert_eq!((client.side.bytes, client.side.repeats), (2 * 512 + 7, 0));
        assert_eq!(server.side.repeats, 1);
    }

    #[test]
    fn what_cannot_be_changes_nothing() {
        let mut wire = Wire::default();
        wire.asks(RRQ, 1);
        wire.answers(CHOSEN, DATA, 1, BLOCK);
        let before = wire.state;
        for (opcode, number) in [(ACK, 2), (ACK, 0xffff), (ACK, 0x8001), (DATA, 1), (7, 1)] {
            assert_eq!(wire.says(CHOSEN, opcode, number, 9), Tells::Nothing);
        }
        assert_eq!(wire.answers(CHOSEN, ACK, 1, 0), Tells::Nothing);
        let Transfer { client, server } = wire.state;
        assert_eq!(blocks(client.side.blocks), 0);
        assert_eq!((client.side.bytes, client.side.repeats), (0, 0));
        assert_eq!(server.side.blocks, before.server.side.blocks);
    }

    #[test]
    fn digests_differ_by_any_byte_and_by_length() {
        let words = [7; DIGESTED / 8];
        let known = digest(&words, 20);
        assert_ne!(digest(&words, 21), known);
        for at in 0..words.len() {
            let mut other = words;
            other[at] ^= 1 << at;
            assert_ne!(digest(&other, 20), known, "{at}");
        }
    }
}
