//! What stands still, and who is waited for.
//!
//! It is seen when it is looked at, once a second and at each scrape: nothing is said to stand
//! still too early, and it may be said two seconds late, for the first look and the last.

/// How long nothing has to move, unless something else is asked for; seconds.
pub const STALLED_AFTER_S: u16 = 5;
/// The same in nanoseconds.
pub(super) const STALLED_AFTER_NS: u64 = STALLED_AFTER_S as u64 * 1_000_000_000;

/// Who is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitsFor {
    /// The server: all that it sent is acknowledged, and it sends no more.
    Server,
    /// The client, which has closed its TCP window: it does not read.
    ClientWindow,
    /// The path, or a client that is gone: TCP has sent what is not acknowledged.
    Path,
    /// The client, or the path to it: a TFTP server has sent what is not answered.
    Client,
}

impl WaitsFor {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Server, Self::ClientWindow, Self::Path, Self::Client];
    /// Those that there are of HTTP.
    pub const HTTP: [Self; 3] = [Self::Server, Self::ClientWindow, Self::Path];
    /// Those that there are of TFTP, which has no window.
    pub const TFTP: [Self; 2] = [Self::Server, Self::Client];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::ClientWindow => "client_window",
            Self::Path => "path",
            Self::Client => "client",
        }
    }
}

/// A place where something was seen, and for how long it was seen nowhere else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standstill<P> {
    place: P,
    waits_for: WaitsFor,
    since_ns: u64,
    seen_ns: u64,
}

impl<P: PartialEq> Standstill<P> {
    /// It is there, at `now_ns`, and waits for whom it waits. Whom it waited for before is not to
    /// blame: the time begins anew where that changes.
    pub(super) fn see(former: Option<Self>, place: P, waits_for: WaitsFor, now_ns: u64) -> Self {
        let same = former.filter(|former| former.place == place && former.waits_for == waits_for);
        Self {
            place,
            waits_for,
            since_ns: same.as_ref().map_or(now_ns, |same| same.since_ns),
            seen_ns: same
                .as_ref()
                .map_or(now_ns, |same| same.seen_ns.max(now_ns)),
        }
    }

    /// Whom it waits for, if it was nowhere else for so long.
    pub(super) fn lasting(&self, ns: u64) -> Option<WaitsFor> {
        (self.seen_ns.saturating_sub(self.since_ns) >= ns).then_some(self.waits_for)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOOKS: usize = 5;
    const AFTER: u64 = LOOKS as u64;

    /// Looks at place and cause, a time unit each; who was said to be waited for.
    fn said(looks: &[(u32, WaitsFor)]) -> Vec<Option<WaitsFor>> {
        let mut still = None;
        let looks = (0..).zip(looks);
        looks
            .map(|(now, (place, waits_for))| {
                let seen = Standstill::see(still.take(), *place, *waits_for, now);
                still.insert(seen).lasting(AFTER)
            })
            .collect()
    }

    #[test]
    fn what_moves_does_not_stand_still() {
        let moves: Vec<_> = (0..20).map(|place| (place / 5, WaitsFor::Path)).collect();
        assert_eq!(said(&moves), [None; 20]);
    }

    #[test]
    fn who_is_waited_for_is_who_was_all_the_time() {
        let (server, path) = (WaitsFor::Server, WaitsFor::Path);
        let looks = [[(7, server); 6], [(7, path); 6]].concat();
        let mut expected = vec![None; 12];
        expected[5] = Some(server);
        expected[11] = Some(path);
        assert_eq!(said(&looks), expected);
    }

    #[test]
    fn a_look_from_before_changes_nothing() {
        let seen = |former, now| Standstill::see(former, 1, WaitsFor::Path, now);
        let still = seen(Some(seen(Some(seen(None, 10)), 15)), 12);
        assert_eq!(still.lasting(AFTER), Some(WaitsFor::Path));
    }

    proptest! {
        /// It is said of exactly what the last looks, so long together, all saw.
        #[test]
        fn it_is_said_when_nothing_changed_for_so_long(
            looks in proptest::collection::vec((0..2_u32, 0..2_usize), 0..60),
        ) {
            let looks: Vec<_> = looks
                .into_iter()
                .map(|(place, cause)| (place, WaitsFor::HTTP[cause]))
                .collect();
            for (at, said) in said(&looks).into_iter().enumerate() {
                let before = looks.get(at.wrapping_sub(LOOKS)..=at);
                let still = before.filter(|seen| seen.iter().all(|look| *look == looks[at]));
                prop_assert_eq!(said, still.map(|_| looks[at].1));
            }
        }
    }
}
