//! What a client and a server can say, in datagrams of any bytes: each request ends once at most,
//! and nothing panics.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use observer_common::tftp::Peer;
use observer_user::model::{
    classify::Classifier,
    tftp::{Event, Fact, Transfers},
};
use programs::{Hook, Kernel, wire::Datagram};

static CLASSIFIER: LazyLock<Arc<Classifier>> = LazyLock::new(|| Arc::new(Classifier::dragonfly()));

// A datagram is a byte that says who sends it and where, one for the time before it, one for its
// length, and its payload.
fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    let (mut kernel, mut facts) = (Kernel::new(&[], &[69]), Vec::new());
    let mut transfers = Transfers::new(Arc::clone(&CLASSIFIER));
    let mut now_ns = 0;
    while let [how, seconds, len, behind @ ..] = rest {
        let (payload, behind) = behind.split_at(behind.len().min((*len).into()));
        rest = behind;
        now_ns += u64::from(*seconds) * 1_000_000_000;
        let datagram = Datagram {
            hook: if how & 1 == 0 {
                Hook::Ingress
            } else {
                Hook::Egress
            },
            peer: Peer {
                port: u16::from(how >> 1 & 1),
                ..Peer::default()
            },
            local_port: 69 + u16::from(how >> 2 & 3),
            at_ns: now_ns,
            len: u32::from(*len) + u32::from(how >> 4) * 512,
            payload,
        };
        datagram.pass(&mut kernel);
        for record in kernel.transfer_events() {
            let event = Event::decode(&record).expect("one of ours");
            transfers.on_event(&event, &mut facts);
        }
        for peer in transfers.due(now_ns) {
            if let Some(entry) = kernel.transfer(&peer) {
                transfers.on_entry(&peer, &entry, now_ns, &mut facts);
            }
        }
    }
    let of = |is: fn(&Fact) -> bool| facts.iter().filter(|fact| is(fact)).count();
    let begun = of(|fact| matches!(fact, Fact::Begun { .. }));
    let ended = of(|fact| matches!(fact, Fact::Ended { .. }));
    let live: u64 = transfers.live().in_flight.iter().sum();
    assert_eq!((ended + live as usize), begun);
});
