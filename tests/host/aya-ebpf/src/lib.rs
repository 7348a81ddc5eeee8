//! The kernel's side of eBPF programs, in an ordinary process: packets, sockets, maps and helpers
//! under the names that `aya-ebpf` gives them, so that the sources of programs compile against
//! this crate unchanged. Only what ours use.
//!
//! One kernel a thread: a test begins with [`reset`], and threads do not see each other's.

pub mod bindings;
mod global;
pub mod helpers;
pub mod maps;
mod operations;
pub mod programs;
mod state;

pub use aya_ebpf_macros as macros;
pub use global::Global;
pub use operations::{Operations, operations};
pub use state::{reset, set_now};

/// What a program knows of who runs it.
pub trait EbpfContext {
    /// The thread group's id.
    fn tgid(&self) -> u32;
}

/// Diagnostics go nowhere.
#[macro_export]
macro_rules! warn {
    ($ctx:expr, $($said:tt)*) => {
        let _ = $ctx;
    };
}
