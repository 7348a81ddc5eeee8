//! The bad link is as bad as it says, and the same each time.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use tests::{
    netns::Netns,
    relay::{Fates, Faults, Relay},
    require_root,
};

const PACKETS: u32 = 2_000;
const FAULTS: Faults = Faults {
    lost: 50,
    doubled: 50,
    late: 50,
    delay: Duration::from_millis(20),
    segments_lost: 0,
};

#[test]
fn packets_are_lost_doubled_and_late_by_the_seed() {
    require_root();
    for family in [0, 1] {
        let (fates, arrived) = run(family, 1);
        let Fates {
            passed,
            lost,
            doubled,
            late,
            segments_lost,
            cut,
        } = fates;
        assert_eq!(
            (segments_lost, cut),
            (0, 0),
            "not of UDP, and not asked for"
        );
        assert_eq!(passed + lost + doubled + late, u64::from(PACKETS));
        for of_a_thousand_50 in [lost, doubled, late] {
            assert!((60..140).contains(&of_a_thousand_50), "{fates:?}");
        }
        assert_eq!(arrived.len() as u64, passed + 2 * doubled + late);
        assert!(!arrived.is_sorted(), "nothing was overtaken");
        assert_eq!(run(family, 1).0, fates);
        assert_ne!(run(family, 2).0, fates);
    }
}

/// Sends numbers over IPv4 or IPv6; returns their fates, and those that arrived.
fn run(family: usize, seed: u64) -> (Fates, Vec<u32>) {
    let near = Netns::new("near").expect("netns");
    let far = Netns::new("far").expect("netns");
    let (relay, ends) = Relay::start(&near, &far, 1, FAULTS, seed).expect("relay");
    let sender = bind(&near, ends.near[family]);
    let receiver = bind(&far, ends.far[family]);
    // For all at once.
    set_socket_recv_buffer_size_force(&receiver, 1 << 24).expect("room");
    let to = receiver.local_addr().expect("address");
    let mut arrived = Vec::new();
    for number in 0..PACKETS {
        sender.send_to(&number.to_be_bytes(), to).expect("send");
    }
    // What is late arrives when it is due: until then there is something to wait for.
    let limit = Some(FAULTS.delay * 20);
    receiver.set_read_timeout(limit).expect("a limit");
    let mut number = [0; 4];
    while receiver.recv(&mut number).is_ok() {
        arrived.push(u32::from_be_bytes(number));
    }
    (relay.stop().expect("fates")[0], arrived)
}

fn bind(netns: &Netns, ip: IpAddr) -> UdpSocket {
    let bind = || UdpSocket::bind(SocketAddr::new(ip, 0));
    netns.inside(bind).expect("inside").expect("bind")
}
