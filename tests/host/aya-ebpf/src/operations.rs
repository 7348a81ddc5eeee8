use std::{cell::Cell, fmt, ops::Sub};

/// What programs have asked of the kernel: the same on every machine, and what their time goes
/// with. Lookups in arrays are not counted: the kernel makes instructions of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Lookups in hashes.
    pub lookups: u64,
    /// Elements written to hashes.
    pub updates: u64,
    /// Elements removed from hashes.
    pub deletes: u64,
    /// Copies out of a packet.
    pub loads: u64,
    /// Bytes that these copied.
    pub loaded: u64,
    /// Reads of the clock.
    pub clock_reads: u64,
    /// Calls of a loop's step.
    pub steps: u64,
    /// Records handed over.
    pub records: u64,
    /// Bytes of a ring that these took.
    pub ring_bytes: u64,
}

impl Sub for Operations {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            lookups: self.lookups - before.lookups,
            updates: self.updates - before.updates,
            deletes: self.deletes - before.deletes,
            loads: self.loads - before.loads,
            loaded: self.loaded - before.loaded,
            clock_reads: self.clock_reads - before.clock_reads,
            steps: self.steps - before.steps,
            records: self.records - before.records,
            ring_bytes: self.ring_bytes - before.ring_bytes,
        }
    }
}

impl fmt::Display for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lookups,
            updates,
            deletes,
            loads,
            loaded,
            clock_reads,
            steps,
            records,
            ring_bytes,
        } = self;
        let all = [
            (lookups, "lookups"),
            (updates, "updates"),
            (deletes, "deletes"),
            (loads, "loads"),
            (loaded, "bytes loaded"),
            (clock_reads, "clock reads"),
            (steps, "steps"),
            (records, "records"),
            (ring_bytes, "bytes of ring"),
        ];
        let some: Vec<String> = all
            .iter()
            .filter(|(count, _)| **count != 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if some.is_empty() {
            return f.write_str("nothing");
        }
        f.write_str(&some.join(", "))
    }
}

thread_local! {
    static ALL: Cell<Operations> = const {
        Cell::new(Operations {
            lookups: 0,
            updates: 0,
            deletes: 0,
            loads: 0,
            loaded: 0,
            clock_reads: 0,
            steps: 0,
            records: 0,
            ring_bytes: 0,
        })
    };
}

/// What was asked on this thread so far.
pub fn operations() -> Operations {
    ALL.get()
}

pub(crate) fn count(by: impl FnOnce(&mut Operations)) {
    let mut all = ALL.get();
    by(&mut all);
    ALL.set(all);
}
