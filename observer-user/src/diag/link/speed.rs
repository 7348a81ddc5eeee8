//! How fast an interface is, as its driver agreed with the other end.

use std::{fs, path::Path};

const SYSFS: &str = "/sys/class/net";
/// Of one Mbit/s.
const BYTES: u64 = 1_000_000 / 8;

/// Bytes a second each way; `None` if it has no speed, is down, or is not in the namespace whose
/// interfaces sysfs shows.
pub(super) fn speed(name: &str, index: u32) -> Option<u64> {
    let folder = Path::new(SYSFS).join(name);
    let number = |file: &str| {
        let text = fs::read_to_string(folder.join(file)).ok()?;
        text.trim().parse::<i64>().ok()
    };
    if number("ifindex") != Some(i64::from(index)) {
        return None;
    }
    known(number("speed")?)
}

/// -1 is what a driver says that does not know (`SPEED_UNKNOWN`, include/uapi/linux/ethtool.h).
fn known(megabits: i64) -> Option<u64> {
    let megabits = u64::try_from(megabits).ok()?;
    (megabits != 0).then(|| megabits.saturating_mul(BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_in_bytes_and_may_be_unknown() {
        for (megabits, bytes) in [
            (1_000, Some(125_000_000)),
            (10, Some(1_250_000)),
            (-1, None),
            (0, None),
        ] {
            assert_eq!(known(megabits), bytes, "{megabits}");
        }
    }

    #[test]
    fn loopback_has_none_and_a_name_is_not_enough() {
        assert_eq!(speed("lo", 1), None);
        assert_eq!(speed("lo", 2), None);
        assert_eq!(speed("nothing", 1), None);
    }
}
