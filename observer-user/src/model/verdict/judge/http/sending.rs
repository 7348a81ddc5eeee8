//! Answers that are long in coming, or slow to be sent.

use super::{
    super::{
        number,
        words::{many, percent, rate, seconds, time},
    },
    Port,
};
use crate::model::{
    classify::Endpoint,
    limiter::Limiter,
    verdict::{Cause, Finding, second::Second, window::Sum},
};

/// Fewer requests say nothing.
const FEW: usize = 3;
/// In so many seconds they are in work for too long.
const SECONDS: usize = 2;

impl Port<'_> {
    /// It works for long on its answers, or writes them slowly, or does not come to read requests.
    pub(super) fn handler_slow(&self) -> Option<Finding> {
        let most = self
            .surfaces
            .iter()
            .max_by_key(|(_, sum)| sum.latest.handled_long)?;
        let (endpoint, sum) = (*most.0, most.1);
        let is_long = |second: &Second| {
            let surface = second.surfaces.get(&(self.name, endpoint));
            surface.is_some_and(|surface| surface.handled_long >= FEW)
        };
        if self.context.window.count(is_long) >= SECONDS {
            let says = format!(
                "{} is slow to answer at port {}: {} in work for up to {}",
                self.context.name(endpoint),
                self.name.label(),
                many(sum.latest.handled.count(), "request"),
                time(sum.handled.p99()),
            );
            let evidence = vec![
                ("handled", number(sum.latest.handled.count())),
                ("handle_p99_seconds", seconds(sum.handled.p99())),
            ];
            let weight = number(sum.latest.handled_long);
            return Some(self.finding(Cause::HandlerSlow, Some(endpoint), weight, says, evidence));
        }
        self.written_slowly()
    }

    fn written_slowly(&self) -> Option<Finding> {
        let (endpoint, sum) = self.sent_slowly(Limiter::Server)?;
        let says = format!(
            "the server at port {} writes {} at {} each: {} of the time of sending is its own",
            self.name.label(),
            self.context.name(endpoint),
            rate(sum.rate()),
            percent(sum.limited(Limiter::Server) / sum.sending()),
        );
        let evidence = vec![
            ("sending", number(sum.latest.sent)),
            ("bytes_per_second", sum.rate()),
        ];
        Some(self.finding(
            Cause::HandlerSlow,
            Some(endpoint),
            number(sum.latest.sent),
            says,
            evidence,
        ))
    }

    pub(super) fn client_slow(&self) -> Option<Finding> {
        let (endpoint, sum) = self.sent_slowly(Limiter::ClientWindow)?;
        let share = sum.limited(Limiter::ClientWindow) / sum.sending();
        let says = format!(
            "{} of {} read {} each: {} of the time of sending their windows are closed",
            many(sum.latest.sent, "client"),
            self.context.name(endpoint),
            rate(sum.rate()),
            percent(share),
        );
        let evidence = vec![
            ("sending", number(sum.latest.sent)),
            ("bytes_per_second", sum.rate()),
            ("window_closed_ratio", share),
        ];
        Some(self.finding(
            Cause::ClientSlow,
            Some(endpoint),
            number(sum.latest.sent),
            says,
            evidence,
        ))
    }

    /// The endpoint whose answers, several at once, are sent slowly for this reason.
    fn sent_slowly(&self, limiter: Limiter) -> Option<(Endpoint, &Sum)> {
        let slow = |sum: &&Sum| {
            sum.is_limited_by(limiter)
                && sum.sending() >= number(FEW) * self.context.window.length()
                && sum.rate() < self.context.thresholds.slow_client_bytes_per_second
        };
        let all = self.surfaces.iter().filter(|(_, sum)| slow(sum));
        let most = all.max_by_key(|(_, sum)| sum.latest.sent)?;
        Some((*most.0, most.1))
    }
}
