//! Each map is private to its module: what nobody else can name, nobody can misuse.

pub(crate) mod conns;
pub(crate) mod notices;
pub(crate) mod pending;
pub(crate) mod pipes;
pub(crate) mod ports;
pub(crate) mod retransmits;
pub(crate) mod ring;
pub(crate) mod stats;
pub(crate) mod transfers;
pub(crate) mod udp_drops;
