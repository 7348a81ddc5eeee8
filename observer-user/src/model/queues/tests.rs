use observer_common::conn::Tuple;

use super::*;
use crate::model::{
    classify::{Access, Classifier, Proto, Subject},
    fact::{Asked, ExchangeId},
    http::Method,
    ports::NAMED,
};

fn listener(port: u16, cookie: u64, queue: u32, drops: u32) -> Listener {
    Listener {
        port,
        queue,
        limit: 10,
        drops,
        cookie,
        inode: 0,
    }
}

fn datagrams(port: u16, queue_bytes: u32) -> UdpSocket {
    UdpSocket {
        port,
        queue_bytes,
        drops: 0,
        cookie: 1,
        inode: 0,
    }
}

fn begun(port: u16) -> Fact {
    let class = Classifier::generic().classify(Subject {
        proto: Proto::Http,
        access: Access::Read,
        target: b"/",
    });
    Fact::Begun {
        id: ExchangeId { cookie: 1, turn: 1 },
        asked: Asked {
            tuple: Tuple {
                server_port: port,
                ..Tuple::default()
            },
            method: Method::Get,
            class,
            begun_ns: 0,
            line_ns: 0,
        },
    }
}

fn sample(queues: &Queues, listeners: &[Listener], udp: &[UdpSocket]) -> Sample {
    Sample {
        wanted: queues.wanted(),
        listeners: Some(listeners.to_vec()),
        udp: Some(udp.to_vec()),
        ..Sample::default()
    }
}

fn drops(queues: &Queues) -> Vec<(Name, u64)> {
    queues.drops().collect()
}

#[test]
fn a_port_is_the_sum_of_its_sockets() {
    let mut queues = Queues::new(&[80, 81], &[], false);
    let listeners = [
        listener(80, 1, 3, 0),
        listener(80, 2, 4, 0),
        // Not asked for: a filter of one port is all that the kernel has.
        listener(22, 3, 5, 9),
    ];
    queues.on_sample(&sample(&queues, &listeners, &[]));
    let listening: Vec<_> = queues.listening().collect();
    let state = |up, length, limit| Listening {
        up,
        length,
        limit,
        full: false,
    };
    assert_eq!(
        listening,
        [
            (Name::Port(80), state(true, 7, 20)),
            (Name::Port(81), state(false, 0, 0)),
        ]
    );
    assert_eq!(drops(&queues), [(Name::Port(80), 0)]);
}

#[test]
fn a_port_is_asked_for_once_it_has_served() {
    let mut queues = Queues::new(&[], &[], false);
    assert!(queues.wanted().tcp.is_empty());
    let before = sample(&queues, &[], &[]);
    for _ in 0..2 {
        queues.on_fact(&begun(8080));
    }
    assert_eq!(queues.wanted().tcp, BTreeSet::from([8080]));
    assert_eq!(queues.wanted().served, 1);
    // An answer to an earlier question says nothing of it.
    queues.on_sample(&before);
    assert_eq!(queues.listening().count(), 0);
}

#[test]
fn drops_never_fall_and_are_counted_once() {
    let mut queues = Queues::new(&[80], &[], false);
    for (listeners, total) in [
        // It had dropped some before we came.
        (vec![listener(80, 1, 0, 5)], 5),
        (vec![listener(80, 1, 0, 5)], 5),
        (vec![listener(80, 1, 0, 7), listener(80, 2, 0, 1)], 8),
        (vec![listener(80, 2, 0, 1)], 8),
        // Out of reach for a moment.
        (vec![], 8),
        (vec![listener(80, 2, 0, 1)], 8),
        // The server is gone, and comes back.
        (vec![], 8),
        (vec![listener(80, 3, 0, 2)], 10),
        (vec![listener(80, 3, 0, u32::MAX)], 8 + u64::from(u32::MAX)),
        (vec![listener(80, 3, 0, 1)], 8 + u64::from(u32::MAX) + 2),
    ] {
        queues.on_sample(&sample(&queues, &listeners, &[]));
        assert_eq!(drops(&queues), [(Name::Port(80), total)], "{listeners:?}");
    }
}

#[test]
fn sockets_that_are_closed_are_forgotten() {
    let mut queues = Queues::new(&[80], &[], false);
    for cookie in 0..1_000 {
        queues.on_sample(&sample(&queues, &[listener(80, cookie, 0, 1)], &[]));
    }
    assert_eq!(drops(&queues), [(Name::Port(80), 1_000)]);
    assert_eq!(queues.drops.counted.len(), CLOSED as usize + 1);
}

#[test]
fn what_could_not_be_read_is_unknown_and_nothing_is_counted_twice() {
    let mut queues = Queues::new(&[80], &[69], true);
    let listeners = [listener(80, 1, 1, 5)];
    let whole = sample(&queues, &listeners, &[datagrams(69, 7)]);
    queues.on_sample(&whole);
    let no_tcp = Sample {
        listeners: None,
        ..whole.clone()
    };
    queues.on_sample(&no_tcp);
    let known = (queues.listening().count(), queues.receiving().count());
    assert_eq!(known, (0, 1));
    let no_udp = Sample {
        udp: None,
        ..whole.clone()
    };
    queues.on_sample(&no_udp);
    let known = (queues.listening().count(), queues.receiving().count());
    assert_eq!(known, (1, 0));
    assert_eq!(drops(&queues), [(Name::Port(80), 5)]);
}

#[test]
fn others_are_up_while_each_is() {
    let mut queues = Queues::new(&[], &[], false);
    let last = 1_000 + u16::try_from(NAMED).expect("few") + 2;
    for port in 1_000..last {
        queues.on_fact(&begun(port));
    }
    let all: Vec<_> = (1_000..last)
        .map(|port| listener(port, port.into(), 1, 1))
        .collect();
    queues.on_sample(&sample(&queues, &all, &[]));
    let other = |queues: &Queues| queues.listening().last().expect("other");
    let state = |up, length, limit| {
        (
            Name::Other,
            Listening {
                up,
                length,
                limit,
                full: false,
            },
        )
    };
    assert_eq!(queues.listening().count(), NAMED + 1);
    assert_eq!(other(&queues), state(true, 2, 20));
    assert_eq!(drops(&queues).last(), Some(&(Name::Other, 2)));
    queues.on_sample(&sample(&queues, &all[..all.len() - 1], &[]));
    assert_eq!(other(&queues), state(false, 1, 10));
}

#[test]
fn a_tftp_port_that_nobody_named_is_told_of_once_somebody_was_there() {
    let state = |up, bytes| [(69, Receiving { up, bytes })];
    for pinned in [false, true] {
        let mut queues = Queues::new(&[], &[69], pinned);
        queues.on_sample(&sample(&queues, &[], &[]));
        assert_eq!(queues.receiving().count(), usize::from(pinned));
        let two = [datagrams(69, 100), datagrams(69, 11)];
        queues.on_sample(&sample(&queues, &[], &two));
        assert!(queues.receiving().eq(state(true, 111)));
        queues.on_sample(&sample(&queues, &[], &[]));
        assert!(queues.receiving().eq(state(false, 0)));
    }
}
