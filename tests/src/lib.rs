//! Harness of the kernel and end-to-end tests: real servers and clients in network
//! namespaces of their own, the real daemon on the host.
//!
//! Everything made here is removed when its value is dropped. A test that cannot run here
//! panics and says why; none is skipped.

pub mod apache;
pub mod bench;
pub mod bpf;
pub mod capture;
pub mod client;
pub mod cpu;
pub mod http;
pub mod kernel_check;
pub mod latency;
pub mod lighttpd;
pub mod load;
pub mod manager;
pub mod netns;
pub mod nginx;
pub mod observer;
pub mod peer;
pub mod process;
pub mod prometheus;
pub mod python;
pub mod relay;
pub mod scrape;
pub mod screenshot;
pub mod server;
pub mod stage;
pub mod starve;
pub mod tftp;
pub mod tmux;
pub mod truth;
mod tshark;
pub mod verify;

/// Panics unless this is root.
pub fn require_root() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test needs root: run `cargo xtask test` as root"
    );
}
