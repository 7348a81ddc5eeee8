//! How often the programs ran, while the kernel counts that.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
    time::Duration,
};

use aya::Ebpf;

use super::probes::{Hook, Probe};

/// `kernel.bpf_stats_enabled`: it costs some tens of nanoseconds a run.
const COUNTS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Of a hook's program, since it was loaded and the kernel counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeRuns {
    /// Which hook.
    pub hook: Hook,
    /// How often it ran.
    pub runs: u64,
    /// For how long, in all.
    pub time: Duration,
}

/// Nothing unless the kernel counts.
pub(super) fn read(programs: &Ebpf, probes: &[Probe]) -> Vec<ProbeRuns> {
    if !fs::read_to_string(COUNTS).is_ok_and(|counts| counts.trim() == "1") {
        return Vec::new();
    }
    let attached = probes.iter().filter_map(|Probe { hook, attached, .. }| {
        let program = programs.program(attached.as_ref().ok()?)?;
        let number = program.fd().ok()?.as_fd().as_raw_fd();
        // aya does not read these two; the kernel also writes them here (since 5.1).
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
        parse(*hook, &info)
    });
    attached.collect()
}

fn parse(hook: Hook, info: &str) -> Option<ProbeRuns> {
    let field = |name: &str| -> Option<u64> {
        let mut lines = info.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.trim().parse().ok()
    };
    Some(ProbeRuns {
        hook,
        runs: field("run_cnt")?,
        time: Duration::from_nanos(field("run_time_ns")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_read_from_a_descriptors_lines() {
        let info = "pos:\t0\nprog_type:\t8\nrun_time_ns:\t1500\nrun_cnt:\t3\n";
        let runs = parse(Hook::Ingress, info).expect("both are there");
        assert_eq!((runs.runs, runs.time), (3, Duration::from_nanos(1500)));
        assert_eq!(parse(Hook::Ingress, "run_cnt:\t3\n"), None);
    }
}
