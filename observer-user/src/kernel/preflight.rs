//! Says what is missing before anything is tried: one sentence, with the fix.

use anyhow::{Context as _, Result, ensure};
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
    let effective =
        caps::read(None, CapSet::Effective).context("read this process's capabilities")?;
    // Before 5.8 there was only CAP_SYS_ADMIN, and it still stands for the two newer ones.
    let admin = effective.contains(&Capability::CAP_SYS_ADMIN);
    for (capability, reason) in NEEDED {
        let implied = admin && capability != Capability::CAP_NET_ADMIN;
        ensure!(
            implied || effective.contains(&capability),
            "pxe-observer lacks {capability} {reason}: run it as root, or grant {} (`setcap` or a unit's AmbientCapabilities)",
            NEEDED.map(|(needed, _)| needed.to_string()).join(", ")
        );
    }
    Ok(())
}
