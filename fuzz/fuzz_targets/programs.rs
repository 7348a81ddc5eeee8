//! Segments of any bytes, in any order and place, through the programs compiled for the host and
//! the tracker: nothing panics or overflows, and each request that began ends once at most.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use observer_common::conn::Tuple;
use observer_user::model::{classify::Classifier, event::Event, fact::Fact, track::Tracker};
use programs::{
    Hook, Kernel, Socket, State,
    wire::{Segment, flags},
};

static CLASSIFIER: LazyLock<Arc<Classifier>> = LazyLock::new(|| Arc::new(Classifier::dragonfly()));

const PORT: u16 = 80;

/// A connection as its socket knows it.
struct Connection {
    socket: Socket,
    server_seq: u32,
    gone: bool,
}

impl Connection {
    fn new(number: u8) -> Self {
        Self {
            socket: Socket {
                state: State::Listen,
                cookie: u64::from(number) + 1,
                address: [10, 0, 0, 1].into(),
                port: PORT,
                next_seq: u32::MAX - 100,
                bytes_received: 0,
            },
            server_seq: u32::MAX - 50,
            gone: false,
        }
    }
}

fn client(number: u8) -> std::net::SocketAddr {
    ([10, 0, 0, 2], 1000 + u16::from(number)).into()
}

fn tuple(number: u8) -> Tuple {
    let mapped = |last: u8| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, last];
    Tuple {
        client: mapped(2),
        server: mapped(1),
        client_port: client(number).port(),
        server_port: PORT,
    }
}

// What happens is a byte that says what, one that says where in the stream, one for the payload's
// length, and the payload.
fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    let (mut kernel, mut facts) = (Kernel::new(&[PORT], &[]), Vec::new());
    let mut tracker = Tracker::new(Arc::clone(&CLASSIFIER));
    let mut connections = [0, 1].map(Connection::new);
    let mut now_ns = 1;
    while let [what, place, len, behind @ ..] = rest {
        let (payload, behind) = behind.split_at(behind.len().min((*len).into()));
        rest = behind;
        now_ns += 1_000_000;
        let number = what & 1;
        let connection = &mut connections[usize::from(number)];
        if connection.gone {
            continue;
        }
        let socket = &mut connection.socket;
        // Mostly where it belongs.
        let shift = if *place < 200 {
            0
        } else {
            i32::from(*place) - 228
        };
        match what >> 1 & 15 {
            side @ 0..=11 => {
                let (hook, own, other) = if side < 6 {
                    (Hook::Ingress, socket.next_seq, connection.server_seq)
                } else {
                    (Hook::Egress, connection.server_seq, socket.next_seq)
                };
                let seq = own.wrapping_add_signed(shift);
                let segment = Segment {
                    hook,
                    client: client(number),
                    at_ns: now_ns,
                    seq,
                    ack: other,
                    flags: flags::ACK | if *what & 64 != 0 { flags::FIN } else { 0 },
                    window: u16::from(*place),
                    segments: 0,
                    payload,
                };
                segment.pass(&mut kernel, socket);
                let end = seq.wrapping_add(payload.len() as u32);
                let new = end.wrapping_sub(own);
                let is_new = new.cast_signed() > 0;
                match hook {
                    Hook::Egress if is_new => connection.server_seq = end,
                    Hook::Egress => {}
                    Hook::Ingress => {
                        if *what & 128 == 0 {
                            socket.state = State::Connected;
                        }
                        if shift <= 0 && is_new {
                            socket.next_seq = end;
                            socket.bytes_received += u64::from(new);
                        }
                    }
                }
            }
            12 => kernel.on_recv(socket.cookie, tuple(number), 1, now_ns),
            13 => {
                kernel.on_destroy(socket.cookie, tuple(number), now_ns);
                connection.gone = true;
            }
            14 => {
                for cookie in tracker.due(*what & 64 != 0) {
                    if let Some(entry) = kernel.conn(cookie) {
                        tracker.on_entry(cookie, &entry, now_ns, &mut facts);
                    }
                }
            }
            _ => now_ns += 1_000_000_000 * u64::from(*place),
        }
        for record in kernel.events() {
            let event = Event::decode(&record).expect("one of ours");
            tracker.on_event(&event, &mut facts);
        }
    }
    let of = |is: fn(&Fact) -> bool| facts.iter().filter(|fact| is(fact)).count();
    let begun = of(|fact| matches!(fact, Fact::Begun { .. }));
    let over = of(|fact| {
        matches!(
            fact,
            Fact::Ended { .. }
                | Fact::Streaming { .. }
                | Fact::Displaced { .. }
                | Fact::Dropped { .. }
                | Fact::Discarded { .. }
        )
    });
    let live: u64 = tracker.live().in_flight.iter().sum();
    assert_eq!(over + live as usize, begun, "{facts:#?}");
});
