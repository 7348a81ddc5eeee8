//! Each probe, really loaded and attached for a moment.

use super::Row;
use crate::kernel::{Hook, Kernel, Probe, Settings, grant, missing_capabilities};

/// So few that it takes neither time nor memory.
const CONNECTIONS: u32 = 64;

pub(super) fn rows() -> Vec<Row> {
    // Each probe would fail for the same reason, in other words.
    if missing_capabilities().is_ok_and(|missing| !missing.is_empty()) {
        let not_tried = |hook: Hook| {
            let said = "not tried, capabilities are missing";
            Row::failed(name(hook), said, grant())
        };
        return Hook::ALL.map(not_tried).into();
    }
    let settings = Settings {
        max_connections: CONNECTIONS,
        ..Settings::default()
    };
    match Kernel::attach(&settings) {
        Ok(kernel) => kernel.probes().iter().map(row).collect(),
        Err(error) => vec![Row::failed(
            "probes",
            format!("{error:#}"),
            "it needs Linux 5.10 with CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF, and the rows above",
        )],
    }
}

fn row(probe: &Probe) -> Row {
    let Probe { hook, attached, .. } = probe;
    match attached {
        Ok(program) => Row::ok(name(*hook), format!("attached for a moment ({program})")),
        Err(error) => {
            let said = format!("{}: {error:#}", hook.without());
            let fix = "a kernel with CONFIG_DEBUG_INFO_BTF has it, or for some tracefs";
            Row::missing(name(*hook), said, fix)
        }
    }
}

fn name(hook: Hook) -> String {
    format!("probe {}", hook.name())
}
