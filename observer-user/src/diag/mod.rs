//! What the host says of its sockets, and of this process.

mod listeners;
mod process;
mod sock_diag;

pub use self::{
    listeners::{Named, Owner, listening_ports, owners},
    process::Process,
    sock_diag::SockDiag,
};
