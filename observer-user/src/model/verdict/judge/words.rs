//! Numbers as a person reads them.

use std::time::Duration;

/// Seconds with one digit behind the point, or milliseconds.
pub(super) fn time(ns: u64) -> String {
    let seconds = Duration::from_nanos(ns).as_secs_f64();
    if seconds < 0.1 {
        format!("{:.0} ms", seconds * 1e3)
    } else {
        format!("{seconds:.1} s")
    }
}

/// Bytes a second.
pub(super) fn rate(bytes: f64) -> String {
    for (unit, name) in [(1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s")] {
        if bytes >= unit {
            return format!("{:.1} {name}", bytes / unit);
        }
    }
    format!("{bytes:.0} B/s")
}

/// Percent.
pub(super) fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

/// "1 request", "2 requests".
pub(super) fn many(count: usize, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {one}{plural}")
}

/// Nanoseconds as seconds.
pub(super) fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(time(8_240_000_000), "8.2 s");
        assert_eq!(time(3_400_000), "3 ms");
        assert_eq!(rate(6_368_000.0), "6.4 MB/s");
        assert_eq!(rate(812.0), "812 B/s");
        assert_eq!(rate(1.25e9), "1.2 GB/s");
        assert_eq!(percent(0.0312), "3.1 %");
        assert_eq!(many(1, "request"), "1 request");
        assert_eq!(many(0, "request"), "0 requests");
    }
}
