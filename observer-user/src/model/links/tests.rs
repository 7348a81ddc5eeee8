use observer_common::{conn::Tuple, tftp::Peer};

use super::*;
use crate::model::{
    classify::{Access, Class, Classifier, Proto, Subject},
    fact::{Asked, ExchangeId},
    http::Method,
};

fn interface(namespace: u64, index: u32, name: &str, counted: Counted) -> Interface {
    Interface {
        namespace,
        index,
        name: name.to_owned(),
        counted,
        speed: None,
    }
}

/// One that counted so much of each.
fn counted(number: u64) -> Counted {
    Counted {
        received: number,
        sent: 2 * number,
        received_drops: 3 * number,
        sent_drops: 4 * number,
        queue: None,
    }
}

fn total(links: &Links, name: &str) -> Total {
    let mut totals = links.totals();
    let found = totals.find_map(|(found, total)| (found == name).then_some(*total));
    found.unwrap_or_else(|| panic!("no {name}"))
}

fn whole(number: u64) -> Total {
    Total {
        received: number,
        sent: 2 * number,
        received_drops: 3 * number,
        sent_drops: 4 * number,
        speed: None,
        backlog: 0,
    }
}

#[test]
fn totals_are_the_interfaces_own_until_it_counts_anew() {
    let mut links = Links::default();
    for (reading, sum) in [(10, 10), (10, 10), (25, 25), (5, 30), (7, 32)] {
        links.on_sample(&[interface(1, 2, "eth0", counted(reading))]);
        assert_eq!(total(&links, "eth0"), whole(sum), "{reading}");
    }
    // Out of reach for a while, and made anew with a number of its own.
    links.on_sample(&[]);
    assert_eq!(total(&links, "eth0"), whole(32));
    links.on_sample(&[interface(1, 2, "eth0", counted(8))]);
    assert_eq!(total(&links, "eth0"), whole(33));
    links.on_sample(&[interface(1, 9, "eth0", counted(20))]);
    assert_eq!(total(&links, "eth0"), whole(53));
}

#[test]
fn one_that_was_out_of_reach_goes_on_however_long_that_was() {
    let mut links = Links::default();
    links.on_sample(&[interface(1, 2, "eth0", counted(10))]);
    for _ in 0..10_000 {
        links.on_sample(&[]);
    }
    links.on_sample(&[interface(1, 2, "eth0", counted(30))]);
    assert_eq!(total(&links, "eth0"), whole(30));
}

#[test]
fn of_too_many_those_that_are_missing_for_longest_are_forgotten() {
    let mut links = Links::default();
    for index in 0..=REMEMBERED {
        let index = u32::try_from(index).expect("small");
        links.on_sample(&[interface(1, index, "eth0", counted(1))]);
    }
    assert_eq!(links.seen.len(), REMEMBERED);
    let remembered = |index| links.seen.contains_key(&(1, index));
    assert!(!remembered(0) && remembered(1));
}

#[test]
fn a_queue_that_was_not_listed_once_is_the_same() {
    let mut links = Links::default();
    let queue = Some(Queue {
        handle: 1,
        drops: 5,
        backlog: 0,
    });
    for queue in [queue, None, queue] {
        let counted = Counted {
            queue,
            ..Counted::default()
        };
        links.on_sample(&[interface(1, 2, "eth0", counted)]);
        assert_eq!(total(&links, "eth0").sent_drops, 5);
    }
}

#[test]
fn interfaces_of_one_name_are_summed_and_renaming_moves_nothing() {
    let mut links = Links::default();
    let both = [
        interface(1, 2, "eth0", counted(10)),
        interface(2, 2, "eth0", counted(5)),
    ];
    links.on_sample(&both);
    assert_eq!(total(&links, "eth0"), whole(15));
    links.on_sample(&[interface(1, 2, "lan", counted(11)), both[1].clone()]);
    assert_eq!(total(&links, "eth0"), whole(15));
    assert_eq!(total(&links, "lan"), whole(1));
}

#[test]
fn a_queues_drops_wrap_and_another_queue_begins_at_0() {
    let mut links = Links::default();
    let high = 0xfffd_0000;
    for (handle, drops, sum) in [
        (1, 7, 7),
        (1, 9, 9),
        // Another one that dropped more already, one that dropped less, and the same.
        (3, 12, 21),
        (2, 4, 25),
        (2, 4, 25),
        // Another one with the same handle.
        (2, 1, 26),
        (2, 0x7fff_0000, 25 + 0x7fff_0000),
        (2, high, 25 + u64::from(high)),
        (2, 3, 25 + (1 << 32) + 3),
    ] {
        let queue = Some(Queue {
            handle,
            drops,
            backlog: 0,
        });
        let counted = Counted {
            queue,
            ..Counted::default()
        };
        links.on_sample(&[interface(1, 2, "eth0", counted)]);
        assert_eq!(total(&links, "eth0").sent_drops, sum, "{handle} {drops}");
    }
}

#[test]
fn drops_of_the_device_and_of_its_queue_are_one_sum() {
    let mut links = Links::default();
    let queue = Some(Queue {
        handle: 1,
        drops: 5,
        backlog: 0,
    });
    let counted = Counted {
        queue,
        ..counted(10)
    };
    links.on_sample(&[interface(1, 2, "eth0", counted)]);
    let sum = Total {
        sent_drops: 45,
        ..whole(10)
    };
    assert_eq!(total(&links, "eth0"), sum);
}

#[test]
fn a_speed_is_known_if_each_is() {
    let mut links = Links::default();
    for (speeds, sum) in [
        (vec![Some(125)], Some(125)),
        (vec![Some(125), Some(1_250)], Some(1_375)),
        (vec![Some(125), None], None),
        (vec![None, Some(125)], None),
        (vec![Some(10)], Some(10)),
        (vec![], None),
    ] {
        let interfaces: Vec<Interface> = speeds
            .iter()
            .zip(1..)
            .map(|(speed, namespace)| Interface {
                speed: *speed,
                ..interface(namespace, 2, "eth0", counted(1))
            })
            .collect();
        links.on_sample(&interfaces);
        assert_eq!(total(&links, "eth0").speed, sum, "{speeds:?}");
    }
}

#[test]
fn what_does_not_fit_is_counted_once() {
    let mut links = Links::default();
    let all: Vec<Interface> = (0..10)
        .map(|number| interface(1, number, &format!("eth{number}"), counted(1)))
        .collect();
    for _ in 0..3 {
        links.on_sample(&all);
    }
    assert_eq!((links.totals().count(), links.left_out()), (NAMED, 2));
    // What has a name keeps it.
    links.on_sample(&all[9..]);
    assert_eq!(links.left_out(), 2);
    assert_eq!(total(&links, "eth0"), whole(1));
    assert!(!links.totals().any(|(name, _)| name == "eth9"));
}

fn class() -> Class {
    Classifier::generic().classify(Subject {
        proto: Proto::Http,
        access: Access::Read,
        target: b"/",
    })
}

fn request(server: Ipv6Addr, class: Class) -> Fact {
    Fact::Begun {
        id: ExchangeId { cookie: 1, turn: 1 },
        asked: Asked {
            tuple: Tuple {
                server: server.octets(),
                client: [9; 16],
                ..Tuple::default()
            },
            method: Method::Get,
            class,
            begun_ns: 0,
            line_ns: 0,
        },
    }
}

fn transfer(client: Ipv6Addr, class: Class) -> tftp::Fact {
    let peer = Peer {
        address: client.octets(),
        ..Peer::default()
    };
    tftp::Fact::Begun {
        asked: tftp::fact::Asked {
            peer,
            operation: tftp::Operation::Read,
            class,
            begun_ns: 0,
        },
    }
}

fn address(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd44, 0, 0, 0, 0, 0, 0, number)
}

#[test]
fn local_addresses_of_requests_and_the_latest_tftp_clients_are_asked_for() {
    let (mut links, class) = (Links::default(), class());
    assert_eq!(links.wanted(), Ends::default());
    for number in 1..1_000 {
        links.on_fact(&request(address(number), class));
        links.on_fact(&request(address(1), class));
        links.on_transfer(&transfer(address(number), class));
        links.on_transfer(&transfer(address(number), class));
    }
    links.on_fact(&Fact::Lost(crate::model::loss::Loss::Swept));
    links.on_transfer(&tftp::Fact::AnsweredLate);
    let ends = Ends {
        local: (1..=64).map(address).collect(),
        clients: (984..1_000).map(address).collect(),
    };
    assert_eq!(links.wanted(), ends);
}
