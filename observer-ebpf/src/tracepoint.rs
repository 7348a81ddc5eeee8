//! The socket behind a tracepoint: one view of it, two ways to read it.
//!
//! BTF tracepoints hand over `struct sock *`, whose fields the verifier lets us read
//! directly; classic ones hand over a record. Neither needs `bpf_probe_read_kernel`, which
//! lockdown forbids.

use core::arch::asm;

use aya_ebpf::{
    EbpfContext,
    helpers::generated::bpf_get_socket_cookie,
    programs::{BtfTracePointContext, TracePointContext},
};
use observer_common::conn::Tuple;

use crate::{
    settings::{self, SockCommon},
    traced::TracedSock,
};

/// `struct sock *`, typed by BTF.
pub(crate) struct BtfSock(*const u8);

const AF_INET: u16 = 2;

impl BtfSock {
    #[inline(always)]
    pub(crate) fn of(ctx: &BtfTracePointContext) -> Self {
        Self(ctx.arg(0))
    }

    /// Of a tracepoint that has it behind something else.
    #[inline(always)]
    pub(crate) fn second(ctx: &BtfTracePointContext) -> Self {
        Self(ctx.arg(1))
    }

    #[inline(always)]
    fn read<T>(&self, at: usize) -> T {
        // SAFETY: a trusted `struct sock *`; the verifier checks offset and size against
        // the kernel's own types, and a fault reads as 0.
        unsafe { self.0.add(at).cast::<T>().read_volatile() }
    }

    #[inline(always)]
    fn address(&self, v4: bool, v4_at: usize, v6_at: usize) -> [u8; 16] {
        let words: [u32; 4] = if v4 {
            [0, 0, 0xffff_u32.to_be(), self.read(v4_at)]
        } else {
            [
                self.read(v6_at),
                self.read(v6_at + 4),
                self.read(v6_at + 8),
                self.read(v6_at + 12),
            ]
        };
        bytemuck::cast(words)
    }
}

impl TracedSock for BtfSock {
    #[inline(always)]
    fn port(&self) -> u16 {
        self.read(SockCommon::num())
    }

    #[inline(always)]
    fn known_cookie(&self) -> Option<u64> {
        match self.read(SockCommon::cookie()) {
            0 => None,
            cookie => Some(cookie),
        }
    }

    #[inline(always)]
    fn cookie(&self) -> u64 {
        if let Some(cookie) = self.known_cookie() {
            return cookie;
        }
        // SAFETY: the helper takes the traced socket (5.12 and later).
        unsafe { bpf_get_socket_cookie(self.0.cast_mut().cast()) }
    }

    #[inline(always)]
    fn tuple(&self) -> Tuple {
        let v4 = self.read::<u16>(SockCommon::family()) == AF_INET;
        Tuple {
            client: self.address(v4, SockCommon::daddr(), SockCommon::v6_daddr()),
            server: self.address(v4, SockCommon::rcv_saddr(), SockCommon::v6_rcv_saddr()),
            client_port: u16::from_be(self.read(SockCommon::dport())),
            server_port: self.port(),
        }
    }
}

/// The record of the `tcp_event_sk` class (include/trace/events/tcp.h). Newer kernels put
/// `family` before the addresses; which it is here, user space reads from tracefs.
pub(crate) struct ClassicSock(*const u8);

const SPORT: usize = 16;
const DPORT: usize = 18;
const SOCK_COOKIE: usize = 64;

impl ClassicSock {
    #[inline(always)]
    pub(crate) fn of(ctx: &TracePointContext) -> Self {
        Self(ctx.as_ptr().cast_const().cast())
    }

    /// Two bytes at a constant place: no layout aligns the addresses to more.
    #[inline(always)]
    fn u16<const AT: usize>(&self) -> u16 {
        let value: u64;
        // SAFETY: reads the record of this tracepoint; the verifier checks the offset. In
        // assembly, since it must stand in the instruction: LLVM would move the pointer, and
        // the verifier refuses a moved context.
        unsafe { asm!("{0} = *(u16 *)({1} + {2})", out(reg) value, in(reg) self.0, const AT) };
        value as u16
    }
}

/// Sixteen bytes of a record, two at a time.
macro_rules! address {
    ($record:expr, $at:literal) => {
        bytemuck::cast([
            $record.u16::<{ $at }>(),
            $record.u16::<{ $at + 2 }>(),
            $record.u16::<{ $at + 4 }>(),
            $record.u16::<{ $at + 6 }>(),
            $record.u16::<{ $at + 8 }>(),
            $record.u16::<{ $at + 10 }>(),
            $record.u16::<{ $at + 12 }>(),
            $record.u16::<{ $at + 14 }>(),
        ])
    };
}

impl TracedSock for ClassicSock {
    #[inline(always)]
    fn port(&self) -> u16 {
        self.u16::<SPORT>()
    }

    #[inline(always)]
    fn known_cookie(&self) -> Option<u64> {
        Some(self.cookie())
    }

    #[inline(always)]
    fn cookie(&self) -> u64 {
        let cookie;
        // SAFETY: as in `u16`.
        unsafe {
            asm!("{0} = *(u64 *)({1} + {2})", out(reg) cookie, in(reg) self.0, const SOCK_COOKIE)
        };
        cookie
    }

    #[inline(always)]
    fn tuple(&self) -> Tuple {
        let (server, client) = if settings::tcp_event_has_family() {
            (address!(self, 30), address!(self, 46))
        } else {
            (address!(self, 28), address!(self, 44))
        };
        Tuple {
            client,
            server,
            client_port: self.u16::<DPORT>(),
            server_port: self.port(),
        }
    }
}
