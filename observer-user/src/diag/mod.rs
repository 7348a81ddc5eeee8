//! What the host says of its sockets.

mod listeners;

pub use self::listeners::{Named, Owner, listening_ports, owners};
