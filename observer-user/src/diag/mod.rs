//! What the host says of its sockets, and of this process.

mod link;
mod listeners;
mod netns;
mod process;
mod processes;
mod sampler;
mod sock_diag;
mod wire;

pub use self::{
    link::Links,
    listeners::{Named, Owner, listening_ports, owners},
    process::Process,
    sampler::Sampler,
    sock_diag::SockDiag,
};
