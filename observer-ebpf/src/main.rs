//! The kernel side: counts and stamps. Every program lets every packet pass and writes to
//! our own maps only; a few events a request go up, none a packet.
//!
//! An entry point is one call; what it does is in the module of that name.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod adopt;
mod answer;
mod blank_line;
mod capture;
mod clock;
mod close;
mod drops;
mod early;
mod http;
mod insn;
mod local;
mod maps;
mod midway;
mod overflow;
mod packet;
mod packets;
mod pickup;
mod pipeline;
mod request;
mod response;
mod retransmits;
mod settings;
mod sock;
mod tftp;
mod traced;
mod tracepoint;
mod zeroed;

use aya_ebpf::{
    macros::{btf_tracepoint, cgroup_skb, tracepoint},
    programs::{BtfTracePointContext, SkBuffContext, TracePointContext},
};

/// What cgroup_skb programs return to let the packet go on.
const PASS: i32 = 1;

/// Every packet that a socket of this host is about to receive.
#[cgroup_skb]
fn ingress(ctx: SkBuffContext) -> i32 {
    let _ = packets::on_ingress::<true>(&ctx);
    PASS
}

/// Every packet that a socket of this host sends.
#[cgroup_skb]
fn egress(ctx: SkBuffContext) -> i32 {
    let _ = packets::on_egress::<true>(&ctx);
    PASS
}

/// The same without `bpf_loop`, which came with 5.17: pipelined requests are not told apart.
#[cgroup_skb]
fn ingress_plain(ctx: SkBuffContext) -> i32 {
    let _ = packets::on_ingress::<false>(&ctx);
    PASS
}

/// The same without `bpf_loop`.
#[cgroup_skb]
fn egress_plain(ctx: SkBuffContext) -> i32 {
    let _ = packets::on_egress::<false>(&ctx);
    PASS
}

/// `tcp_rcv_space_adjust(sk)`: a process took received bytes.
#[btf_tracepoint(function = "tcp_rcv_space_adjust")]
fn recv_btf(ctx: BtfTracePointContext) -> i32 {
    let _ = pickup::on_recv(&ctx, &tracepoint::BtfSock::of(&ctx));
    0
}

/// The same without BTF.
#[tracepoint]
fn recv_classic(ctx: TracePointContext) -> u32 {
    let _ = pickup::on_recv(&ctx, &tracepoint::ClassicSock::of(&ctx));
    0
}

/// `tcp_destroy_sock(sk)`: a socket is gone.
#[btf_tracepoint(function = "tcp_destroy_sock")]
fn destroy_btf(ctx: BtfTracePointContext) -> i32 {
    let _ = close::on_destroy(&ctx, &tracepoint::BtfSock::of(&ctx));
    0
}

/// The same without BTF.
#[tracepoint]
fn destroy_classic(ctx: TracePointContext) -> u32 {
    let _ = close::on_destroy(&ctx, &tracepoint::ClassicSock::of(&ctx));
    0
}

/// `udp_fail_queue_rcv_skb(rc, sk)`: a datagram found the socket's queue full. (Its classic form
/// says the port in places that differ from kernel to kernel.)
#[btf_tracepoint(function = "udp_fail_queue_rcv_skb")]
fn udp_drop_btf(ctx: BtfTracePointContext) -> i32 {
    drops::on_drop(&tracepoint::BtfSock::second(&ctx));
    0
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: a path that could panic does not load. A loop, unlike
    // `unreachable_unchecked`, lets the verifier see one that is.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
