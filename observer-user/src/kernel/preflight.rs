//! Says what is missing before anything is tried: one sentence, with the fix.

use anyhow::{Context as _, Result, bail};
use caps::{CapSet, Capability};

/// What loading and attaching need, and why (capabilities(7)).
const NEEDED: [(Capability, &str); 3] = [
    (Capability::CAP_BPF, "to load eBPF programs"),
    (
        Capability::CAP_NET_ADMIN,
        "to attach them to the root cgroup",
    ),
    (Capability::CAP_PERFMON, "to attach them to tracepoints"),
];

/// Checks the capabilities of this process.
pub fn check() -> Result<()> {
    if let Some((capability, reason)) = missing()?.first() {
        bail!("pxe-observer lacks {capability} {reason}: {}", grant());
    }
    Ok(())
}

/// What this process lacks, and what it would be for.
pub fn missing() -> Result<Vec<(Capability, &'static str)>> {
    let effective =
        caps::read(None, CapSet::Effective).context("read this process's capabilities")?;
    // Before 5.8 there was only CAP_SYS_ADMIN, and it still stands for the two newer ones.
    let admin = effective.contains(&Capability::CAP_SYS_ADMIN);
    let lacks = |(capability, _): &(Capability, &str)| {
        let implied = admin && *capability != Capability::CAP_NET_ADMIN;
        !implied && !effective.contains(capability)
    };
    Ok(NEEDED.into_iter().filter(lacks).collect())
}

/// How capabilities are given.
pub fn grant() -> String {
    format!(
        "run it as root, or grant {} (`setcap` or a unit's AmbientCapabilities)",
        NEEDED.map(|(needed, _)| needed.to_string()).join(", ")
    )
}
