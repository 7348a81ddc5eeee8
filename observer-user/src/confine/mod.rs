//! Gives up, once everything is attached and bound, what only that needed: capabilities and system
//! calls. What later threads may do is what this one may.
//!
//! A convenience for who trusts us: where it cannot be done we say so, and observe.

mod filter;

use std::collections::HashSet;

use anyhow::{Context as _, Result};
use caps::{CapSet, Capability};

/// What is asked for while we observe, of servers in other network namespaces and of whose a port
/// is; who has not given it to us does without (capabilities(7)).
const KEPT: [Capability; 3] = [
    // Enters network namespaces, to ask for sockets and links there.
    Capability::CAP_SYS_ADMIN,
    // Finds out in which of them other processes live, and which sockets are theirs.
    Capability::CAP_SYS_PTRACE,
    // Lists descriptors of other users' processes.
    Capability::CAP_DAC_READ_SEARCH,
];

/// Where a process stands that did nothing but that which is left to it. Call it before there is a
/// second thread. `needs_bpf` says that the maps cannot be read without its capability.
pub fn confine(needs_bpf: bool) {
    if let Err(error) = give_up_capabilities(needs_bpf) {
        tracing::warn!("capabilities stay, the rest goes on: {error:#}");
    }
    if let Err(error) = filter::apply() {
        tracing::warn!("system calls are not restricted, the rest goes on: {error:#}");
    }
}

fn give_up_capabilities(needs_bpf: bool) -> Result<()> {
    let had = caps::read(None, CapSet::Permitted).context("read capabilities")?;
    let needed = needs_bpf.then_some(Capability::CAP_BPF);
    let kept: HashSet<Capability> = KEPT.into_iter().chain(needed).collect();
    let kept = kept.intersection(&had).copied().collect();
    caps::clear(None, CapSet::Ambient).context("clear ambient capabilities")?;
    bound(&had)?;
    // Effective ones are permitted ones, so they go first.
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept).with_context(|| format!("set {set:?} capabilities"))?;
    }
    caps::clear(None, CapSet::Inheritable).context("clear inheritable capabilities")
}

/// No program that we might become has any, where we may say so; it cannot become one anyway.
fn bound(had: &HashSet<Capability>) -> Result<()> {
    if had.contains(&Capability::CAP_SETPCAP) {
        caps::clear(None, CapSet::Bounding).context("clear bounding capabilities")?;
    }
    Ok(())
}
