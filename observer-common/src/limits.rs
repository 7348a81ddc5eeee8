//! Every bound of the kernel side, and why it is what it is.

/// Bytes of a head handed over at most; nginx and Apache refuse larger request heads.
pub const HEAD_MAX: u32 = 8192;
/// First piece of a head: boot clients' and nginx's heads are under 300 bytes.
pub const PIECE_SMALL: usize = 512;
/// The rest of a large head, in one piece.
pub const PIECE_LARGE: usize = 8192;
/// Pieces of one head handed over at most: a client may send it byte by byte, or the same
/// segment again and again.
pub const PIECES_MAX: u32 = 64;
/// Payload this far beyond what was seen is none that TCP would take: no receive window is as
/// large (`net.ipv4.tcp_rmem` is 6 MiB by default).
pub const FAR_AHEAD: u32 = 64 << 20;
/// Connections to watched ports at one time, if nothing else is asked for.
pub const CONNS: u32 = 65_536;
/// The most that can be asked for: 4 GiB of kernel memory.
pub const CONNS_MAX: u32 = 1 << 24;
/// Connections whose data came before their socket: bounded by the accept queues
/// (`net.core.somaxconn` is 4096 by default).
pub const PENDING: u32 = 4_096;
/// Connections at one time whose messages are followed by their framing: those in their first
/// turns, and those that do not wait for answers or answer in chunks.
pub const PIPES: u32 = 8_192;
/// In its first turns a connection shows whether it will ask again before it has an answer;
/// only then are answers followed in case it does.
pub const FIRST_TURNS: u32 = 8;
/// Bytes of the event ring, if nothing else is asked for; a power of two. It holds
/// what 5,800 requests tell; past half full it is drained at once.
pub const RING_BYTES: u32 = 8 << 20;
/// The most that can be asked for.
pub const RING_BYTES_MAX: u32 = 1 << 30;
/// How long early data may wait for its socket, in nanoseconds: longer than any SYN-ACK is
/// repeated (`tcp_synack_retries`: 63 s).
pub const EARLY_DATA_NS: u64 = 120_000_000_000;
/// How long a connection without an exchange may be silent before its entry is forgotten, in
/// nanoseconds. Its next request finds it again.
pub const IDLE_NS: u64 = 600_000_000_000;
/// The same once both sides have closed: for where the end of sockets is not told.
pub const CLOSED_NS: u64 = 10_000_000_000;
/// TFTP clients (address and port) at one time, with those that were served in the last minutes: a
/// boot takes ten to twenty.
pub const TRANSFERS: u32 = 32_768;
/// Bytes of the ring of TFTP events; a power of two. It holds 1,400: a server that
/// has just become busy begins fewer in the 50 ms between drains.
pub const TRANSFER_RING_BYTES: u32 = 1 << 20;
/// Bytes of a request or an answer handed over at most (RFC 2347: 512).
pub const TFTP_CAPTURED: usize = 512;
/// How long the entry of a transfer that is over, or of a client that fell silent, is kept, in
/// nanoseconds: servers send a last block again for two minutes (dnsmasq).
pub const TRANSFER_OVER_NS: u64 = 130_000_000_000;
/// Ports where TFTP requests arrive, at most: each has series of its own.
pub const TFTP_PORTS: u32 = 16;
/// Watched ports whose retransmits are counted apart, at most; those of more are counted together.
pub const RETRANSMIT_PORTS: u32 = 1_024;
