//! How many requests, or transfers, are in flight: the most at one time, and for how long together.
//!
//! What lives is read from the tracker's table and what left is told by facts, each with its own
//! stamp: neither how late an event is drained nor in which order ends are found changes a number.

use super::{
    classify::{Class, MAX_ENDPOINTS},
    fact::Fact,
    tftp,
    track::Live,
};

/// The peak is that of so many slots, the last of which is not over.
const SLOTS: usize = 6;
/// How long a slot is.
const SLOT_NS: u64 = 10_000_000_000;
/// Arrivals and departures kept until they are put in order: half a second of 100,000 requests/s.
const EDGES: usize = 1 << 17;

/// CPUs hand events over in an order that is off by a few; an end that is found late is off by
/// more, and all are put in order for it.
const NEAR: usize = 16;

/// Concurrency by endpoint.
pub struct InFlight {
    endpoints: [History; MAX_ENDPOINTS],
    edges: Vec<Edge>,
    /// The edges are in order.
    sorted: bool,
    advanced_ns: u64,
}

/// A request begins or ceases to be in flight.
#[derive(Clone, Copy, Debug)]
struct Edge {
    at_ns: u64,
    endpoint: usize,
    enters: bool,
}

impl Edge {
    /// What ends as another begins was there with it; and what took no time has begun first.
    fn key(&self) -> (u64, bool) {
        (self.at_ns, !self.enters)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct History {
    /// Of those that left.
    left_ns: u128,
    /// Of all, as told last.
    total_ns: u128,
    slots: [Slot; SLOTS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    number: u64,
    most: u64,
}

impl InFlight {
    /// Nothing was in flight before `now_ns`.
    pub fn new(now_ns: u64) -> Self {
        Self {
            endpoints: [History::default(); MAX_ENDPOINTS],
            edges: Vec::new(),
            sorted: true,
            advanced_ns: now_ns,
        }
    }

    /// Takes a fact that was found out at `now_ns`.
    pub fn on_fact(&mut self, fact: &Fact, now_ns: u64) {
        match fact {
            Fact::Begun { asked, .. } => self.enter(&asked.class, asked.line_ns),
            Fact::Ended { asked, phases, .. } => {
                let until_ns = asked.begun_ns + phases.duration();
                self.leave(&asked.class, asked.line_ns, until_ns);
            }
            Fact::Streaming { asked, at_ns, .. } => {
                self.leave(&asked.class, asked.line_ns, *at_ns);
            }
            Fact::Dropped { asked, .. } | Fact::Discarded { asked } | Fact::Displaced { asked } => {
                self.leave(&asked.class, asked.line_ns, now_ns);
            }
            Fact::Answered { .. }
            | Fact::Named { .. }
            | Fact::Limited { .. }
            | Fact::Moved { .. }
            | Fact::Delivered { .. }
            | Fact::Undelivered { .. }
            | Fact::Lost(_)
            | Fact::Unread(_) => {}
        }
    }

    /// Takes a fact about a transfer.
    pub fn on_transfer(&mut self, fact: &tftp::Fact) {
        match fact {
            tftp::Fact::Begun { asked } => self.enter(&asked.class, asked.begun_ns),
            tftp::Fact::Ended { asked, at_ns, .. } | tftp::Fact::Dropped { asked, at_ns, .. } => {
                self.leave(&asked.class, asked.begun_ns, *at_ns);
            }
            tftp::Fact::Answered { .. }
            | tftp::Fact::Named { .. }
            | tftp::Fact::Agreed { .. }
            | tftp::Fact::Moved { .. }
            | tftp::Fact::Failed { .. }
            | tftp::Fact::AnsweredLate => {}
        }
    }

    /// True if [`Self::advance`] is due, however long ago the last one was.
    pub fn is_full(&self) -> bool {
        self.edges.len() >= EDGES
    }

    /// Brings everything to `now_ns`, when `live` was in flight.
    pub fn advance(&mut self, live: &Live, now_ns: u64) {
        self.find_peaks(live, now_ns);
        for (endpoint, history) in self.endpoints.iter_mut().enumerate() {
            let count = live.in_flight.get(endpoint).copied().unwrap_or(0);
            let since = live.since_ns.get(endpoint).copied().unwrap_or(0);
            let live_ns = (u128::from(count) * u128::from(now_ns)).saturating_sub(since);
            // An end that is found late was counted on until then: it is waited for.
            history.total_ns = history.total_ns.max(history.left_ns + live_ns);
        }
        self.advanced_ns = now_ns;
    }

    /// The most at one time since the slot began that was the sixth last at the last advance.
    pub fn peak(&self, endpoint: usize) -> u64 {
        let oldest = oldest(self.advanced_ns / SLOT_NS);
        let slots = self.endpoints.get(endpoint).map(|history| history.slots);
        let recent = slots.iter().flatten().filter(|slot| slot.number >= oldest);
        recent.map(|slot| slot.most).max().unwrap_or(0)
    }

    /// How long requests were in flight together, at the last advance: never less than before.
    pub fn total_ns(&self, endpoint: usize) -> u128 {
        self.endpoints
            .get(endpoint)
            .map_or(0, |history| history.total_ns)
    }

    fn enter(&mut self, class: &Class, at_ns: u64) {
        self.edge(class, at_ns, true);
    }

    fn leave(&mut self, class: &Class, since_ns: u64, at_ns: u64) {
        let at_ns = at_ns.max(since_ns);
        if let Some(history) = self.endpoints.get_mut(class.endpoint.index()) {
            history.left_ns += u128::from(at_ns - since_ns);
        }
        self.edge(class, at_ns, false);
    }

    fn edge(&mut self, class: &Class, at_ns: u64, enters: bool) {
        let edge = Edge {
            at_ns,
            endpoint: class.endpoint.index(),
            enters,
        };
        let near = self.edges.iter().rev().take(NEAR);
        let later = near.take_while(|other| other.key() > edge.key()).count();
        self.sorted &= later < NEAR;
        self.edges.insert(self.edges.len() - later, edge);
    }

    /// From what lives now backwards: so nothing adds up that was not told of.
    fn find_peaks(&mut self, live: &Live, now_ns: u64) {
        let mut counts = live.in_flight;
        let mut until = [now_ns; MAX_ENDPOINTS];
        let mut edges = std::mem::take(&mut self.edges);
        if !std::mem::replace(&mut self.sorted, true) {
            edges.sort_unstable_by_key(Edge::key);
        }
        for edge in edges.drain(..).rev() {
            let (Some(count), Some(until), Some(history)) = (
                counts.get_mut(edge.endpoint),
                until.get_mut(edge.endpoint),
                self.endpoints.get_mut(edge.endpoint),
            ) else {
                continue;
            };
            history.saw(*count, *until);
            // What is older than the last advance was counted in it.
            *until = edge.at_ns.clamp(self.advanced_ns, *until);
            *count = if edge.enters {
                count.saturating_sub(1)
            } else {
                *count + 1
            };
        }
        for ((history, count), until) in self.endpoints.iter_mut().zip(counts).zip(until) {
            history.saw(count, until);
        }
        self.edges = edges;
    }
}

impl History {
    /// So many were in flight until this instant. When they began to be does not matter: the slot
    /// that this is in is forgotten last.
    fn saw(&mut self, count: u64, until_ns: u64) {
        let number = until_ns / SLOT_NS;
        let at = usize::try_from(number % SLOTS as u64).unwrap_or(0);
        if let Some(slot) = self.slots.get_mut(at) {
            if slot.number < number {
                *slot = Slot { number, most: 0 };
            }
            if slot.number == number {
                slot.most = slot.most.max(count);
            }
        }
    }
}

/// The first of the slots whose last is `last`.
fn oldest(last: u64) -> u64 {
    last.saturating_sub(SLOTS as u64 - 1)
}

#[cfg(test)]
mod tests {
    use observer_common::conn::Tuple;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        classify::{Access, Classifier, Proto, Subject},
        fact::{Asked, ExchangeId, Outcome, Phases},
        http::Method,
    };

    const SECOND: u64 = 1_000_000_000;

    fn asked(line_ns: u64) -> Asked {
        let subject = Subject {
            proto: Proto::Http,
            access: Access::Read,
            target: b"/images/a.raw",
        };
        thread_local! {
            static RULES: Classifier = Classifier::dragonfly();
        }
        Asked {
            tuple: Tuple::default(),
            method: Method::Get,
            class: RULES.with(|rules| rules.classify(subject)),
            begun_ns: line_ns,
            line_ns,
        }
    }

    const ID: ExchangeId = ExchangeId { cookie: 1, turn: 1 };

    fn begun(at: u64) -> Fact {
        let asked = asked(at);
        Fact::Begun { id: ID, asked }
    }

    fn ended(from: u64, until: u64) -> Fact {
        Fact::Ended {
            id: ID,
            asked: asked(from),
            status: None,
            phases: Phases {
                handle: until - from,
                ..Phases::default()
            },
            response_bytes: 0,
            outcome: Outcome::Complete,
            sampled_ns: 0,
        }
    }

    /// What the table has at `now` of requests with these beginnings and ends.
    fn live(requests: &[(u64, u64)], now: u64) -> Live {
        let endpoint = asked(0).class.endpoint.index();
        let mut live = Live::default();
        for (from, _) in requests
            .iter()
            .filter(|(from, until)| *from <= now && now < *until)
        {
            live.in_flight[endpoint] += 1;
            live.since_ns[endpoint] += u128::from(*from);
        }
        live
    }

    fn peak_and_ns(in_flight: &InFlight) -> (u64, u128) {
        let endpoint = asked(0).class.endpoint.index();
        (in_flight.peak(endpoint), in_flight.total_ns(endpoint))
    }

    /// Ends are found when all of a drain was read: fifty requests, one after the other, were
    /// never fifty at one time.
    #[test]
    fn the_order_in_which_facts_are_found_does_not_matter() {
        let mut in_flight = InFlight::new(0);
        let requests: Vec<(u64, u64)> = (0..50).map(|n| (n * 10, n * 10 + 9)).collect();
        let begins = requests.iter().map(|(from, _)| begun(*from));
        let ends = requests.iter().map(|(from, until)| ended(*from, *until));
        for fact in begins.chain(ends) {
            in_flight.on_fact(&fact, 900);
        }
        in_flight.advance(&Live::default(), 1_000);
        assert_eq!(peak_and_ns(&in_flight), (1, 450));
    }

    #[test]
    fn a_peak_is_forgotten_after_a_minute() {
        let mut in_flight = InFlight::new(0);
        in_flight.on_fact(&begun(5 * SECOND), 5 * SECOND);
        in_flight.on_fact(&ended(5 * SECOND, 6 * SECOND), 6 * SECOND);
        for (second, peak) in [(6, 1), (30, 1), (59, 1), (60, 0), (200, 0)] {
            in_flight.advance(&Live::default(), second * SECOND);
            assert_eq!(peak_and_ns(&in_flight).0, peak, "{second}");
        }
    }

    #[test]
    fn what_stays_is_the_peak_of_every_slot() {
        let mut in_flight = InFlight::new(0);
        in_flight.on_fact(&begun(1), 1);
        let stays = [(1, u64::MAX)];
        for second in [1, 200, 1_000] {
            in_flight.advance(&live(&stays, second * SECOND), second * SECOND);
            let total = u128::from(second * SECOND - 1);
            assert_eq!(peak_and_ns(&in_flight), (1, total), "{second}");
        }
    }

    /// A connection that turned out not to speak HTTP takes its request along without a word.
    #[test]
    fn what_leaves_untold_adds_up_to_nothing() {
        let mut in_flight = InFlight::new(0);
        for n in 1..1_000 {
            in_flight.on_fact(&begun(n * SECOND), n * SECOND);
            in_flight.advance(&Live::default(), n * SECOND);
        }
        assert!(peak_and_ns(&in_flight).0 <= 1);
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_every_instant(
            spans in proptest::collection::vec((1..1_500_u64, 1..300_u64), 0..30),
            looks in proptest::collection::btree_set(1..1_800_u64, 1..10),
        ) {
            // In tenths of a second, so that slots are crossed, and forgotten.
            let requests: Vec<(u64, u64)> = spans
                .iter()
                .map(|(from, long)| (from * SECOND / 10, (from + long) * SECOND / 10))
                .collect();
            let mut in_flight = InFlight::new(0);
            let (mut before, mut last) = (0, 0);
            for look in looks {
                let now = look * SECOND / 10;
                let news = |at: u64| before < at && at <= now;
                for (from, until) in &requests {
                    if news(*from) {
                        in_flight.on_fact(&begun(*from), now);
                    }
                    if news(*until) {
                        in_flight.on_fact(&ended(*from, *until), now);
                    }
                }
                in_flight.advance(&live(&requests, now), now);
                let (peak, total) = peak_and_ns(&in_flight);
                let oldest = oldest(now / SLOT_NS) * SLOT_NS;
                let at = |instant: u64| {
                    let there = |(from, until): &&(u64, u64)| *from <= instant && instant <= *until;
                    requests.iter().filter(there).count() as u64
                };
                // It grows where one begins only.
                let begins = requests.iter().map(|(from, _)| *from);
                let instants = begins.filter(|from| oldest <= *from && *from <= now);
                let most = instants.chain([oldest.max(1), now]).map(at).max();
                prop_assert_eq!(Some(peak), most);
                let each = requests.iter().map(|(from, until)| {
                    u128::from(now.min(*until).saturating_sub(*from))
                });
                prop_assert_eq!(total, each.sum::<u128>());
                prop_assert!(total >= last);
                (before, last) = (now, total);
            }
        }
    }
}
