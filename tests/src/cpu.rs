//! Which CPUs a test's threads run on.

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps this thread, and what it starts, on one CPU. Loopback hands segments to the CPU that sends
/// them: with one there is one order of all that happens.
pub fn stay_on_one() -> Result<()> {
    let allowed = sched_getaffinity(None).context("ask for the CPUs")?;
    let first = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu));
    let mut one = CpuSet::new();
    one.set(first.context("a CPU")?);
    sched_setaffinity(None, &one).context("stay on one CPU")
}
