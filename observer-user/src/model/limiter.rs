//! What an answer waited for while it was being sent, by TCP's own account.

use std::time::Duration;

use super::sockets::TcpState;

/// What the sending of an answer waits for; exactly one at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limiter {
    /// The server process: all that it wrote is acknowledged.
    Server,
    /// The socket's send buffer: it holds no more, though the path would take it.
    SendBuffer,
    /// The client: it takes no more for now.
    ClientWindow,
    /// The network, be it full, lossy, or just as fast as it is.
    Path,
}

impl Limiter {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [
        Self::Server,
        Self::SendBuffer,
        Self::ClientWindow,
        Self::Path,
    ];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::SendBuffer => "send_buffer",
            Self::ClientWindow => "client_window",
            Self::Path => "path",
        }
    }
}

/// A connection's clocks, since it began, in nanoseconds (`struct tcp_info`,
/// include/uapi/linux/tcp.h; they tick once a jiffy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// Something was written and not acknowledged (`tcpi_busy_time`).
    pub busy: u64,
    /// Of that, the client's window was closed (`tcpi_rwnd_limited`).
    pub client_window: u64,
    /// Of that, the send buffer was full (`tcpi_sndbuf_limited`).
    pub send_buffer: u64,
}

impl From<&TcpState> for Clocks {
    fn from(state: &TcpState) -> Self {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            busy: ns(state.busy),
            client_window: ns(state.rwnd_limited),
            send_buffer: ns(state.sndbuf_limited),
        }
    }
}

/// Nanoseconds by [`Limiter`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limited([u64; Limiter::ALL.len()]);

impl Limited {
    /// Where `elapsed` nanoseconds went, in which the clocks went from `before` to `after`: their
    /// sum, whatever the clocks say.
    fn between(elapsed: u64, before: Clocks, after: Clocks) -> Self {
        let part = |before: u64, after: u64, most: u64| after.saturating_sub(before).min(most);
        let busy = part(before.busy, after.busy, elapsed);
        let client_window = part(before.client_window, after.client_window, busy);
        let left = busy - client_window;
        let send_buffer = part(before.send_buffer, after.send_buffer, left);
        Self([
            elapsed - busy,
            send_buffer,
            client_window,
            left - send_buffer,
        ])
    }

    #[cfg(test)]
    pub(super) fn of(limiter: Limiter, ns: u64) -> Self {
        let mut limited = Self::default();
        limited.0[limiter as usize] = ns;
        limited
    }

    /// Each with its nanoseconds.
    pub fn by_limiter(self) -> impl Iterator<Item = (Limiter, u64)> {
        Limiter::ALL.into_iter().zip(self.0)
    }

    /// All of it.
    pub fn sum(self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn add(&mut self, other: Self) {
        for (ns, more) in self.0.iter_mut().zip(other.0) {
            *ns += more;
        }
    }

    /// The same proportions of less time.
    fn cut(self, elapsed: u64) -> Self {
        let whole = u128::from(self.sum().max(1));
        let part = |ns: u64| u64::try_from(u128::from(ns) * u128::from(elapsed) / whole);
        let mut cut = Self(self.0.map(|ns| part(ns).unwrap_or(ns)));
        // What rounding took is the path's.
        cut.0[Limiter::Path as usize] += elapsed - cut.sum();
        cut
    }
}

/// The sending of one answer, as far as its connection's clocks were read. The answer ends with the
/// last byte sent, which is known behind it only: time is told when a byte was sent after it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sampled {
    last: Option<(u64, Clocks)>,
    /// Between the two readings around the last byte sent.
    moving: Option<Span>,
    /// Since then.
    silent: Option<Span>,
    told_ns: u64,
    /// Between the last two readings.
    latest: Limited,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    from_ns: u64,
    limited: Limited,
}

impl Span {
    /// What of it lies before `end_ns`.
    fn before(self, end_ns: u64) -> Limited {
        let left = end_ns.saturating_sub(self.from_ns);
        self.limited.cut(left.min(self.limited.sum()))
    }
}

/// Clocks as they were at one instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// When, `CLOCK_MONOTONIC` nanoseconds.
    pub(super) at_ns: u64,
    /// What they said.
    pub(super) clocks: Clocks,
}

/// Clocks of a connection that began with this answer are no further than the answer is old, but
/// for a jiffy or two.
const SLACK_NS: u64 = 20_000_000;

impl Sampled {
    /// The answer is its connection's first, and began then: so did the clocks, unless they say
    /// otherwise.
    pub(super) fn begin(&mut self, begun_ns: u64, first: Reading) {
        if first.clocks.busy <= first.at_ns.saturating_sub(begun_ns) + SLACK_NS {
            self.last.get_or_insert((begun_ns, Clocks::default()));
        }
    }

    /// Takes a reading of while it was under way, the last byte sent at `sent_ns` so far. Returns
    /// what is certain by now.
    pub(super) fn read(&mut self, Reading { at_ns, clocks }: Reading, sent_ns: u64) -> Limited {
        let (from_ns, before) = self
            .last
            .replace((at_ns, clocks))
            .unwrap_or((at_ns, clocks));
        let elapsed = at_ns.saturating_sub(from_ns);
        let span = Span {
            from_ns,
            limited: Limited::between(elapsed, before, clocks),
        };
        self.latest = span.limited;
        if sent_ns < from_ns {
            let silent = self.silent.get_or_insert(Span {
                from_ns,
                limited: Limited::default(),
            });
            silent.limited.add(span.limited);
            return Limited::default();
        }
        let mut certain = Limited::default();
        for span in [self.moving.replace(span), self.silent.take()]
            .into_iter()
            .flatten()
        {
            certain.add(span.limited);
        }
        self.told_ns += certain.sum();
        certain
    }

    /// What it waited for most between the last two readings, if there were two.
    pub(super) fn limiter(&self) -> Option<Limiter> {
        let most = self.latest.by_limiter().max_by_key(|(_, ns)| *ns);
        most.filter(|(_, ns)| *ns != 0).map(|(limiter, _)| limiter)
    }

    /// The answer's last byte was sent at `end_ns`. Returns what was not told yet, and how many
    /// nanoseconds were in all.
    pub(super) fn end(&mut self, end_ns: u64) -> (Limited, u64) {
        let mut rest = Limited::default();
        for span in [self.moving.take(), self.silent.take()]
            .into_iter()
            .flatten()
        {
            rest.add(span.before(end_ns));
        }
        (rest, self.told_ns + rest.sum())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    fn reading(at: u64, [busy, client_window, send_buffer]: [u64; 3]) -> Reading {
        let clocks = Clocks {
            busy: busy * MS,
            client_window: client_window * MS,
            send_buffer: send_buffer * MS,
        };
        Reading {
            at_ns: at * MS,
            clocks,
        }
    }

    fn ms(limited: Limited) -> [u64; 4] {
        limited.0.map(|ns| ns / MS)
    }

    /// A connection's first answer, from 100 ms on, a byte of which is always on its way.
    fn first_answer() -> Sampled {
        let mut sampled = Sampled::default();
        let first = reading(1_100, [900, 500, 100]);
        sampled.begin(100 * MS, first);
        assert_eq!(ms(sampled.read(first, 1_100 * MS)), [0; 4]);
        sampled
    }

    #[test]
    fn time_is_told_when_it_is_certain() {
        let mut sampled = first_answer();
        // Of the first second: server, send buffer, client window, path.
        let second = reading(2_100, [1_900, 1_500, 100]);
        assert_eq!(ms(sampled.read(second, 2_100 * MS)), [100, 100, 500, 300]);
        // It ended half a second before the last reading.
        let (rest, sum) = sampled.end(1_600 * MS);
        assert_eq!((ms(rest), sum / MS), ([0, 0, 500, 0], 1_500));
    }

    #[test]
    fn silence_is_told_when_it_is_over() {
        for (sent, told) in [(3_000, [0; 4]), (4_500, [100, 100, 2_500, 300])] {
            let mut sampled = first_answer();
            // The last byte for now is sent at 1,000.
            for (at, window) in [(2_100, 1_500), (3_100, 2_500)] {
                let reading = reading(at, [at - 200, window, 100]);
                assert_eq!(ms(sampled.read(reading, 1_000 * MS)), [0; 4]);
            }
            let last = reading(4_100, [3_900, 3_500, 100]);
            let said = sampled.read(last, sent * MS);
            assert_eq!(ms(said), told, "{sent}");
            if said.sum() == 0 {
                // None was: the answer was given up.
                let (rest, sum) = sampled.end(1_000 * MS);
                assert_eq!((ms(rest), sum / MS), ([90, 90, 450, 270], 900));
            }
        }
    }

    #[test]
    fn clocks_that_ran_before_are_no_beginning() {
        let mut sampled = Sampled::default();
        let first = reading(1_000, [5_000, 0, 0]);
        sampled.begin(0, first);
        assert_eq!(ms(sampled.read(first, 1_000 * MS)), [0; 4]);
        let second = reading(2_000, [6_000, 0, 0]);
        assert_eq!(ms(sampled.read(second, 2_000 * MS)), [0; 4]);
        let (rest, sum) = sampled.end(2_500 * MS);
        assert_eq!((ms(rest), sum / MS), ([0, 0, 0, 1_000], 1_000));
    }

    proptest! {
        /// Whatever the clocks say: what is told adds up, and is no more than the answer took.
        #[test]
        fn what_is_told_adds_up(
            mut reads in proptest::collection::vec((500..5_000_u64, 0..9_000_u64, 0..9_000_u64), 0..9),
            pauses in proptest::collection::vec(any::<bool>(), 9),
        ) {
            let mut sampled = Sampled::default();
            reads.sort_unstable();
            let (begun, mut sent, mut told) = (500, 500, 0);
            for ((at, busy, client_window), pauses) in reads.into_iter().zip(pauses) {
                let clocks = Clocks { busy, client_window, send_buffer: 0 };
                let reading = Reading { at_ns: at, clocks };
                sampled.begin(begun, reading);
                sent = if pauses { sent } else { at };
                told += sampled.read(reading, sent).sum();
                prop_assert!(told <= sent - begun);
            }
            let (rest, sum) = sampled.end(sent);
            prop_assert_eq!(told + rest.sum(), sum);
            prop_assert!(sum <= sent - begun);
        }
    }
}
