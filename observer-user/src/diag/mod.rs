//! What the host says of its sockets.

mod listeners;

pub use self::listeners::listening_ports;
