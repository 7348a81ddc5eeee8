//! From where on somebody is said to starve; the `[starvation]` table of the configuration.

use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// Seconds that somebody may wait.
const WAIT: RangeInclusive<f64> = 0.001..=3600.0;
/// Parts of a whole.
const RATIO: RangeInclusive<f64> = 0.0001..=1.0;
/// Bytes a second: up to 10 Tbit/s.
const RATE: RangeInclusive<f64> = 1.0..=1.25e12;
/// Seconds that a state lasts.
const STATE: RangeInclusive<i64> = 1..=3600;

/// The thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Seconds: somebody waits longer than this to be taken up.
    #[serde(deserialize_with = "wait")]
    pub wait_seconds: f64,
    /// Seconds: a server works longer than this on an answer.
    #[serde(deserialize_with = "wait")]
    pub handle_seconds: f64,
    /// Segments sent again, as a part of those sent.
    #[serde(deserialize_with = "ratio")]
    pub loss_ratio: f64,
    /// Of a link's speed that is in use.
    #[serde(deserialize_with = "ratio")]
    pub link_ratio: f64,
    /// A client that takes less is slow.
    #[serde(deserialize_with = "rate")]
    pub slow_client_bytes_per_second: f64,
    /// Seconds that a cause must last to be said.
    #[serde(deserialize_with = "state")]
    pub hold_seconds: u32,
    /// Seconds that it must be gone to be no longer said.
    #[serde(deserialize_with = "state")]
    pub clear_seconds: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            wait_seconds: 1.0,
            handle_seconds: 1.0,
            loss_ratio: 0.01,
            link_ratio: 0.9,
            slow_client_bytes_per_second: 1_048_576.0,
            hold_seconds: 3,
            clear_seconds: 5,
        }
    }
}

fn wait<'de, D: Deserializer<'de>>(value: D) -> Result<f64, D::Error> {
    number(value, WAIT)
}

fn ratio<'de, D: Deserializer<'de>>(value: D) -> Result<f64, D::Error> {
    number(value, RATIO)
}

fn rate<'de, D: Deserializer<'de>>(value: D) -> Result<f64, D::Error> {
    number(value, RATE)
}

/// `nan` is in no range.
fn number<'de, D: Deserializer<'de>>(
    value: D,
    range: RangeInclusive<f64>,
) -> Result<f64, D::Error> {
    let value = f64::deserialize(value)?;
    if range.contains(&value) {
        return Ok(value);
    }
    Err(D::Error::custom(format!("{value} is not in {range:?}")))
}

fn state<'de, D: Deserializer<'de>>(value: D) -> Result<u32, D::Error> {
    let value = i64::deserialize(value)?;
    let seconds = u32::try_from(value).ok();
    let refused = || D::Error::custom(format!("{value} is not in {STATE:?}"));
    seconds
        .filter(|_| STATE.contains(&value))
        .ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_has_its_default() {
        let read: Thresholds = toml::from_str("wait_seconds = 2\nhold_seconds = 9").expect("read");
        let expected = Thresholds {
            wait_seconds: 2.0,
            hold_seconds: 9,
            ..Thresholds::default()
        };
        assert_eq!(read, expected);
        let written = toml::to_string(&Thresholds::default()).expect("written");
        let read: Thresholds = toml::from_str(&written).expect("the defaults are in their ranges");
        assert_eq!(read, Thresholds::default());
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for (written, says) in [
            ("wait_seconds = 0", "0 is not in 0.001..=3600.0"),
            ("handle_seconds = nan", "NaN is not in"),
            ("loss_ratio = 1.01", "1.01 is not in 0.0001..=1.0"),
            ("link_ratio = -0.5", "-0.5 is not in"),
            ("slow_client_bytes_per_second = inf", "inf is not in"),
            ("hold_seconds = 0", "0 is not in 1..=3600"),
            ("clear_seconds = -1", "-1 is not in 1..=3600"),
            ("clear_seconds = 1.5", "invalid type: floating point"),
            ("wait = 1", "unknown field `wait`"),
        ] {
            let refused = toml::from_str::<Thresholds>(written).expect_err(written);
            assert!(refused.message().contains(says), "{refused}");
        }
    }
}
