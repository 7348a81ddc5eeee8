//! Under overload: whatever the ring loses, each request is counted once, as ended or as lost.

use std::collections::HashSet;

use observer_common::flow::FLAG_FIN;
use proptest::prelude::*;

use super::{exchange::OVERDUE_NS, wire::Wire};
use crate::model::{fact::Fact, loss::Loss};

const FIRST: &str = "GET /boot/52:54:00:ab:cd:ef HTTP/1.1\r\nHost:";
const REST: &str = " a\r\n\r\n";
const OK5: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

/// What the ring loses of one exchange.
#[derive(Clone, Debug)]
struct Lost {
    request: bool,
    more: bool,
    response: bool,
}

fn lost() -> impl Strategy<Value = Lost> {
    any::<(bool, bool, bool)>().prop_map(|(request, more, response)| Lost {
        request,
        more,
        response,
    })
}

/// Requests that are in the numbers, or lost for a reason of user space's.
fn accounted(wire: &Wire) -> usize {
    let counts = |fact: &&Fact| {
        matches!(
            fact,
            Fact::Ended { .. } | Fact::Dropped { .. } | Fact::Lost(_)
        )
    };
    wire.facts.iter().filter(counts).count()
}

proptest! {
    #[test]
    fn each_request_is_ended_or_lost_once(
        exchanges in proptest::collection::vec((lost(), any::<bool>(), any::<bool>()), 1..8),
        end_lost in any::<bool>(),
    ) {
        let mut wire = Wire::new();
        let mut lost_requests = 0;
        for (lost, in_one, look) in &exchanges {
            lost_requests += usize::from(lost.request);
            wire.full = lost.request;
            wire.ask(FIRST);
            wire.full = lost.more;
            wire.ask(REST);
            wire.full = lost.response;
            if *in_one {
                wire.answer(&format!("{OK5}hello"));
            } else {
                wire.answer(OK5).body(5);
            }
            wire.full = false;
            if *look {
                wire.now += OVERDUE_NS;
                wire.look();
            }
        }
        // The connection rests: nothing more is told of it.
        wire.now += OVERDUE_NS;
        wire.look();
        prop_assert_eq!(wire.in_flight(), 0);
        prop_assert_eq!(accounted(&wire) + lost_requests, exchanges.len());
        wire.full = end_lost;
        wire.close(FLAG_FIN, FLAG_FIN);
        wire.now += OVERDUE_NS;
        wire.tracker.sweep(wire.now, &HashSet::from([wire.cookie]), &mut wire.facts);
        prop_assert_eq!(accounted(&wire) + lost_requests, exchanges.len());
        prop_assert_eq!(wire.tracker.connections(), 0);
    }
}

/// Its end was lost, and its entry is gone with its socket.
#[test]
fn an_exchange_without_an_end_is_swept() {
    let mut wire = Wire::new();
    wire.ask(FIRST).ask(REST).answer(OK5);
    wire.full = true;
    wire.close(FLAG_FIN, FLAG_FIN);
    let gone = HashSet::from([wire.cookie]);
    // Of what was told a moment ago, the entry may not be there yet.
    let moment = wire.now;
    for (now, swept) in [(moment, 0), (moment + OVERDUE_NS, 1)] {
        wire.tracker.sweep(now, &gone, &mut wire.facts);
        assert_eq!(wire.lost(), vec![Loss::Swept; swept]);
    }
    assert_eq!(wire.in_flight(), 0);
}
