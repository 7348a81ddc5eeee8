//! Against the kernel: the interfaces of whoever runs this.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

fn ends(local: &[IpAddr], clients: &[IpAddr]) -> Ends {
    let mapped = |all: &[IpAddr]| {
        let map = |address: &IpAddr| match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => *address,
        };
        all.iter().map(map).collect()
    };
    Ends {
        local: mapped(local),
        clients: mapped(clients),
    }
}

#[test]
fn loopback_is_known_and_is_no_link() {
    let mut links = Links::open(7).expect("a netlink socket");
    let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let local = ends(&[v4, v6], &[]).local;
    let owners = links.owners(&local).expect("addresses");
    assert_eq!(owners, BTreeSet::from([1]), "lo is always the first");
    for client in ends(&[v4, v6], &[]).local {
        assert_eq!(links.leaves_by(client).expect("a route"), Some(1));
    }
    let devices = links.devices().expect("devices");
    let lo = devices.iter().find(|device| device.index == 1);
    assert_eq!(lo.expect("lo").kind, select::Kind::Loopback);
    let all = ends(&[v4, v6], &[v4, v6]);
    assert_eq!(links.read(&all).expect("interfaces"), []);
}

#[test]
fn an_interface_counts_and_one_that_is_not_there_is_none() {
    let mut links = Links::open(7).expect("a netlink socket");
    let device = Device {
        index: 1,
        kind: select::Kind::Loopback,
        beneath: None,
        master: None,
    };
    let mut read = || {
        let lo = links.interface(device).expect("an answer");
        lo.expect("it is there")
    };
    let before = read();
    assert_eq!((before.name.as_str(), before.namespace), ("lo", 7));
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let to = socket.local_addr().expect("bound");
    socket.send_to(&[0; 1_000], to).expect("send");
    let after = read();
    assert!(after.counted.sent >= before.counted.sent + 1_000);
    assert!(after.counted.received >= before.counted.received + 1_000);
    let nothing = Device {
        index: u32::MAX >> 1,
        ..device
    };
    assert_eq!(links.interface(nothing).expect("an answer"), None);
}
