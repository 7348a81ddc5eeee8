//! What the host says of its sockets, and of this process.

mod listeners;
mod process;

pub use self::{
    listeners::{Named, Owner, listening_ports, owners},
    process::Process,
};
