//! Requests at a rate.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::traffic::Http;

const TICK: Duration = Duration::from_millis(1);

/// Sends requests over the connections held, so many a second, and says how many it were. What is
/// due is sent at each tick, whenever that comes; the answers come at once.
pub(super) fn run(http: &mut Http, rate: u32, window: Duration) -> Result<f64> {
    let begun = Instant::now();
    let (mut sent, mut tick) = (0, begun);
    while tick < begun + window {
        tick += TICK;
        let due = due(rate, tick - begun);
        http.keep_alive(due - sent)?;
        sent = due;
        // Late, the next tick is now.
        thread::sleep(tick.saturating_duration_since(Instant::now()));
    }
    Ok(sent as f64 / begun.elapsed().as_secs_f64())
}

fn due(rate: u32, after: Duration) -> usize {
    let due = u128::from(rate) * after.as_nanos() / Duration::from_secs(1).as_nanos();
    usize::try_from(due).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_adds_up_to_the_rate() {
        let at = |ms| due(1_500, Duration::from_millis(ms));
        assert_eq!([at(0), at(1), at(2), at(1_000)], [0, 1, 3, 1_500]);
    }
}
