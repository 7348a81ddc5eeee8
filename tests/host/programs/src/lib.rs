//! The eBPF programs themselves, compiled for the host: what the kernel side does with a packet,
//! without a kernel. The sources are those of `observer-ebpf`, all but its entry points, its
//! assembly, and how a traced socket is read; `aya_ebpf` is [`host-ebpf`](../../aya-ebpf).
//!
//! A packet of a capture becomes kernel events here; that the real programs make the same of the
//! same packets, `tests/tests/model.rs` holds.

// The sources speak of their logger by its name.
extern crate aya_ebpf as aya_log_ebpf;

/// Sources of the programs.
macro_rules! sources {
    ($($name:ident $path:literal)*) => {
        $(
            #[path = $path]
            #[allow(
                dead_code,
                clippy::cast_possible_truncation,
                clippy::needless_borrows_for_generic_args,
                clippy::unnecessary_cast,
                unreachable_pub,
                reason = "of the kernel target: a copy would take its stack, and there its words are u32"
            )]
            mod $name;
        )*
    };
}

sources! {
    adopt "../../../../observer-ebpf/src/adopt.rs"
    answer "../../../../observer-ebpf/src/answer.rs"
    blank_line "../../../../observer-ebpf/src/blank_line.rs"
    capture "../../../../observer-ebpf/src/capture.rs"
    clock "../../../../observer-ebpf/src/clock.rs"
    close "../../../../observer-ebpf/src/close.rs"
    drops "../../../../observer-ebpf/src/drops.rs"
    early "../../../../observer-ebpf/src/early.rs"
    http "../../../../observer-ebpf/src/http.rs"
    local "../../../../observer-ebpf/src/local.rs"
    maps "../../../../observer-ebpf/src/maps/mod.rs"
    midway "../../../../observer-ebpf/src/midway.rs"
    overflow "../../../../observer-ebpf/src/overflow.rs"
    packet "../../../../observer-ebpf/src/packet.rs"
    packets "../../../../observer-ebpf/src/packets.rs"
    pickup "../../../../observer-ebpf/src/pickup.rs"
    pipeline "../../../../observer-ebpf/src/pipeline/mod.rs"
    request "../../../../observer-ebpf/src/request.rs"
    response "../../../../observer-ebpf/src/response.rs"
    retransmits "../../../../observer-ebpf/src/retransmits.rs"
    settings "../../../../observer-ebpf/src/settings.rs"
    sock "../../../../observer-ebpf/src/sock.rs"
    tftp "../../../../observer-ebpf/src/tftp.rs"
    traced "../../../../observer-ebpf/src/traced.rs"
    zeroed "../../../../observer-ebpf/src/zeroed.rs"
}

mod connection;
#[cfg(test)]
mod head_ends;
mod insn;
mod kernel;
pub mod traffic;
pub mod wire;

pub use aya_ebpf::{Operations, operations};
pub use connection::Connection;
pub use kernel::{Hook, Kernel, Packet, Socket, State};
