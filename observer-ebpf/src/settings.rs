//! What user space decides before the programs load: frozen read-only data, so the verifier
//! knows each value and drops the branches that it rules out.

use aya_ebpf::Global;

/// 1 when a listener's first packet makes its port a watched one.
#[unsafe(no_mangle)]
static LEARN_PORTS: Global<u8> = Global::new(0);

/// 1 when clients on this host itself are left out.
#[unsafe(no_mangle)]
static IGNORE_LOCAL: Global<u8> = Global::new(0);

/// 1 when packet programs may ask for a socket's network namespace (`bpf_get_netns_cookie`).
#[unsafe(no_mangle)]
static NETNS_COOKIES: Global<u8> = Global::new(0);

/// Bytes of the event ring.
#[unsafe(no_mangle)]
static RING_BYTES: Global<u32> = Global::new(0);

/// Byte offsets within `struct sock_common`, from the running kernel's BTF.
#[unsafe(no_mangle)]
static SKC_COOKIE: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SKC_NUM: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SKC_DPORT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SKC_FAMILY: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SKC_DADDR: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SKC_RCV_SADDR: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SKC_V6_DADDR: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static SKC_V6_RCV_SADDR: Global<u32> = Global::new(0);

/// 1 when the `tcp_event_sk` records have a `family` field.
#[unsafe(no_mangle)]
static TCP_EVENT_HAS_FAMILY: Global<u8> = Global::new(0);

/// True when the classic records carry `family` before their addresses.
#[inline(always)]
pub(crate) fn tcp_event_has_family() -> bool {
    TCP_EVENT_HAS_FAMILY.load() == 1
}

/// True when clients on this host itself are left out.
#[inline(always)]
pub(crate) fn ignore_local() -> bool {
    IGNORE_LOCAL.load() == 1
}

/// True when packet programs may ask for a socket's network namespace.
#[inline(always)]
pub(crate) fn netns_cookies() -> bool {
    NETNS_COOKIES.load() == 1
}

/// How many bytes the event ring has.
#[inline(always)]
pub(crate) fn ring_bytes() -> u64 {
    u64::from(RING_BYTES.load())
}

/// True when listeners are learned from their packets.
#[inline(always)]
pub(crate) fn learn_ports() -> bool {
    LEARN_PORTS.load() == 1
}

/// Where `struct sock_common` keeps what we read of it.
pub(crate) struct SockCommon;

impl SockCommon {
    #[inline(always)]
    pub(crate) fn cookie() -> usize {
        SKC_COOKIE.load() as usize
    }
    #[inline(always)]
    pub(crate) fn num() -> usize {
        SKC_NUM.load() as usize
    }
    #[inline(always)]
    pub(crate) fn dport() -> usize {
        SKC_DPORT.load() as usize
    }
    #[inline(always)]
    pub(crate) fn family() -> usize {
        SKC_FAMILY.load() as usize
    }
    #[inline(always)]
    pub(crate) fn daddr() -> usize {
        SKC_DADDR.load() as usize
    }
    #[inline(always)]
    pub(crate) fn rcv_saddr() -> usize {
        SKC_RCV_SADDR.load() as usize
    }
    #[inline(always)]
    pub(crate) fn v6_daddr() -> usize {
        SKC_V6_DADDR.load() as usize
    }
    #[inline(always)]
    pub(crate) fn v6_rcv_saddr() -> usize {
        SKC_V6_RCV_SADDR.load() as usize
    }
}
