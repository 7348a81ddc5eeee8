//! Whether the observer's books are in order, once nobody boots any more.

use super::{
    noticed::Noticed,
    play::{Seen, left_over},
};

/// What has to agree.
#[derive(Default)]
pub(super) struct Books {
    /// What was not 0, and ought to be.
    left_over: Vec<(&'static str, f64)>,
    /// Requests that were asked and answered once, if all were.
    asked: Option<u64>,
    /// Requests that were counted, or lost.
    counted: f64,
    /// The time that requests were in flight, in seconds.
    pub(super) in_flight: f64,
    /// The sum of their durations, in seconds.
    pub(super) durations: f64,
}

impl Books {
    pub(super) fn of(seen: &Seen, noticed: &Noticed) -> Self {
        let sum = |family| seen.last.sum(family);
        Self {
            left_over: left_over(&seen.last),
            asked: noticed.requests().filter(|_| seen.records.unfinished == 0),
            counted: sum("http_requests_total") + sum("pxe_observer_events_lost_total"),
            in_flight: sum("http_requests_in_flight_seconds_total"),
            durations: sum("http_request_duration_seconds_sum"),
        }
    }

    /// What is not 0 that ought to be; or else, where time in flight is not the sum of durations,
    /// both; and where not all requests were counted.
    pub(super) fn leaves(&self) -> Vec<String> {
        let left = self.left_over.iter();
        let mut leaves: Vec<String> = left
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let (in_flight, durations, counted) = (self.in_flight, self.durations, self.counted);
        if leaves.is_empty() && (in_flight - durations).abs() > 0.01 * durations {
            leaves.push(format!(
                "{in_flight} s in flight, of durations {durations} s"
            ));
        }
        if let Some(asked) = self.asked
            && counted != asked as f64
        {
            leaves.push(format!("{counted} requests counted of {asked}"));
        }
        leaves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_order_is_told() {
        let check = |books: Books, expected: &[&str]| assert_eq!(books.leaves(), expected);
        check(Books::default(), &[]);
        let off = || Books {
            in_flight: 1.0,
            durations: 1.1,
            ..Books::default()
        };
        check(off(), &["1 s in flight, of durations 1.1 s"]);
        let still = Books {
            left_over: vec![("http_requests_waiting", 2.0)],
            ..off()
        };
        check(still, &["http_requests_waiting 2"]);
        let lost = Books {
            asked: Some(3),
            counted: 2.0,
            ..Books::default()
        };
        check(lost, &["2 requests counted of 3"]);
    }
}
