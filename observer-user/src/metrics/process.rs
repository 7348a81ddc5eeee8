//! The process, as every Prometheus client names it.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use super::catalog::{Catalog, Declaration};
use crate::diag::Process;

/// The families.
pub struct ProcessMetrics {
    cpu_seconds: Counter<f64, AtomicU64>,
    resident_bytes: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    start_time: Gauge<f64, AtomicU64>,
}

impl ProcessMetrics {
    pub(super) fn declare(catalog: &mut Catalog) -> Self {
        let catalog = catalog.with_prefix("process_");
        let alone = |name, help| Declaration {
            name,
            help,
            labels: [],
            sets: 1,
        };
        Self {
            cpu_seconds: catalog
                .seconds(alone(
                    "cpu_seconds",
                    "Processor time that the daemon took, in user and kernel mode",
                ))
                .only(),
            resident_bytes: catalog
                .gauge(alone("resident_memory_bytes", "Memory that is in use"))
                .only(),
            open_fds: catalog
                .gauge(alone("open_fds", "File descriptors that are open"))
                .only(),
            max_fds: catalog
                .gauge(alone("max_fds", "File descriptors that can be open"))
                .only(),
            start_time: catalog
                .timestamp(alone("start_time_seconds", "When the daemon started"))
                .only(),
        }
    }

    /// Sets what procfs says.
    pub fn set(&self, process: &Process) {
        let Process {
            cpu,
            resident_bytes,
            open_fds,
            max_fds,
            started,
        } = process;
        let new = cpu.as_secs_f64() - self.cpu_seconds.get();
        self.cpu_seconds.inc_by(new.max(0.0));
        self.resident_bytes.set(whole(*resident_bytes));
        self.open_fds.set(whole(*open_fds));
        self.max_fds.set(whole(*max_fds));
        self.start_time.set(started.as_secs_f64());
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
