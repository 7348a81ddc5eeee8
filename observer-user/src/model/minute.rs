//! How long things took in the last minute: quantiles, to one part in a hundred.

use hdrhistogram::Histogram;

/// The minute is made of so many slots, the last of which is not over.
const SLOTS: usize = 6;
/// How long a slot is.
const SLOT_NS: u64 = 10_000_000_000;
/// What is told apart is a microsecond; what takes longer than an hour took an hour.
const UNIT_NS: u64 = 1_000;
const LONGEST: u64 = 3_600_000_000;
/// Decimal digits that are kept of a value: 13 KiB a slot.
const DIGITS: u8 = 2;

/// The quantiles that are told.
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// Of how many things so many seconds were not exceeded by how many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantiles {
    /// How many there were.
    pub count: u64,
    /// By half of them; seconds, as the next two.
    pub p50: f64,
    /// By 19 of 20.
    pub p95: f64,
    /// By 99 of 100.
    pub p99: f64,
}

/// Durations by when they ended. A slot has its memory from its first use on.
#[derive(Debug, Default)]
pub struct Minute([Option<Slot>; SLOTS]);

#[derive(Debug)]
struct Slot {
    number: u64,
    durations: Histogram<u32>,
}

impl Minute {
    /// Something ended then that took so long.
    pub fn record(&mut self, duration_ns: u64, at_ns: u64) {
        let number = at_ns / SLOT_NS;
        let at = usize::try_from(number % SLOTS as u64).unwrap_or(0);
        let Some(slot) = self.0.get_mut(at).and_then(|slot| Slot::of(slot, number)) else {
            return;
        };
        slot.durations.saturating_record(duration_ns / UNIT_NS);
    }

    /// Of what ended within the slots up to now; `None` if nothing did.
    pub fn quantiles(&self, now_ns: u64) -> Option<Quantiles> {
        let now = now_ns / SLOT_NS;
        let oldest = (now + 1).saturating_sub(SLOTS as u64);
        let mut slots = self.0.iter().flatten();
        let mut all = empty()?;
        slots.try_for_each(|slot| match (oldest..=now).contains(&slot.number) {
            true => all.add(&slot.durations).ok(),
            false => Some(()),
        })?;
        if all.is_empty() {
            return None;
        }
        let [p50, p95, p99] = QUANTILES.map(|quantile| seconds(all.value_at_quantile(quantile)));
        Some(Quantiles {
            count: all.len(),
            p50,
            p95,
            p99,
        })
    }
}

impl Slot {
    /// The slot of this number, which takes the place of an older one. `None` for what is older
    /// than it.
    fn of(place: &mut Option<Self>, number: u64) -> Option<&mut Self> {
        if place.is_none() {
            *place = empty().map(|durations| Self { number, durations });
        }
        let slot = place.as_mut()?;
        if slot.number < number {
            slot.number = number;
            slot.durations.reset();
        }
        (slot.number == number).then_some(slot)
    }
}

fn empty() -> Option<Histogram<u32>> {
    Histogram::new_with_bounds(1, LONGEST, DIGITS).ok()
}

fn seconds(units: u64) -> f64 {
    std::time::Duration::from_nanos(units.saturating_mul(UNIT_NS)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(Minute::default().quantiles(5 * SECOND), None);
    }

    #[test]
    fn what_ended_a_minute_ago_is_forgotten() {
        let mut minute = Minute::default();
        for (at, count) in [(1, 1), (50, 2), (61, 2), (200, 1)] {
            minute.record(SECOND, at * SECOND);
            let quantiles = minute.quantiles(at * SECOND).expect("one at least");
            assert_eq!(quantiles.count, count, "{at}");
        }
        // What is told late is no news.
        minute.record(SECOND, SECOND);
        assert_eq!(minute.quantiles(200 * SECOND).expect("one").count, 1);
        assert_eq!(minute.quantiles(300 * SECOND), None);
    }

    proptest! {
        /// Nearest rank, of what a microsecond can tell.
        #[test]
        fn quantiles_are_right_to_three_parts_in_a_hundred(
            mut durations in proptest::collection::vec(1_000..3_600 * SECOND, 1..200),
        ) {
            let mut minute = Minute::default();
            for duration in &durations {
                minute.record(*duration, 7 * SECOND);
            }
            let quantiles = minute.quantiles(7 * SECOND).expect("some");
            durations.sort_unstable();
            prop_assert_eq!(quantiles.count, durations.len() as u64);
            for (percent, found) in [(50, quantiles.p50), (95, quantiles.p95), (99, quantiles.p99)] {
                let rank = (durations.len() * percent).div_ceil(100);
                let exact = std::time::Duration::from_nanos(durations[rank - 1]).as_secs_f64();
                prop_assert!((found - exact).abs() <= 0.03 * exact + 1e-6, "{percent}: {found} {exact}");
            }
        }
    }
}
