//! What each packet's hook does: datagrams are TFTP's, all else may be HTTP's.

use aya_ebpf::programs::SkBuffContext;

use crate::{packet, request, response, tftp};

/// A packet that a socket of this host is about to receive. Without `PIPELINES`, which need
/// `bpf_loop` (5.17), requests that do not wait for answers are not told apart.
#[inline(always)]
pub(crate) fn on_ingress<const PIPELINES: bool>(ctx: &SkBuffContext) -> Option<()> {
    if packet::is_udp(ctx) {
        tftp::on_ingress(ctx)
    } else {
        request::on_ingress::<PIPELINES>(ctx)
    }
}

/// A packet that a socket of this host sends.
#[inline(always)]
pub(crate) fn on_egress<const PIPELINES: bool>(ctx: &SkBuffContext) -> Option<()> {
    if packet::is_udp(ctx) {
        tftp::on_egress(ctx)
    } else {
        response::on_egress::<PIPELINES>(ctx)
    }
}
