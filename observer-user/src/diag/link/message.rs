//! What is asked over rtnetlink, and what is read of the answers.

use std::net::{IpAddr, Ipv6Addr};

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage as Message,
    address::{AddressAttribute, AddressMessage},
    link::{InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage, Stats64},
    route::{RouteAttribute, RouteMessage},
    tc::{TcAttribute, TcHandle, TcMessage, TcStats2},
};

use super::select::{Device, Kind};
use crate::model::links::{Counted, Queue};

/// All addresses.
pub(super) fn addresses() -> Message {
    Message::GetAddress(AddressMessage::default())
}

/// All interfaces, without what they counted.
pub(super) fn devices() -> Message {
    let mut message = LinkMessage::default();
    message.attributes = vec![LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])];
    Message::GetLink(message)
}

/// One interface.
pub(super) fn device(index: u32) -> Message {
    let mut message = LinkMessage::default();
    message.header.index = index;
    Message::GetLink(message)
}

/// All queueing disciplines: the kernel does not list those of one interface.
pub(super) fn queues() -> Message {
    Message::GetQueueDiscipline(TcMessage::default())
}

/// How an address is reached.
pub(super) fn route(to: Ipv6Addr) -> Message {
    let to = to.to_canonical();
    let mut message = RouteMessage::default();
    (
        message.header.address_family,
        message.header.destination_prefix_length,
    ) = match to {
        IpAddr::V4(_) => (AddressFamily::Inet, 32),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128),
    };
    message.attributes = vec![RouteAttribute::Destination(to.into())];
    Message::GetRoute(message)
}

/// An address and the index of the interface that has it.
pub(super) fn owned(answer: &Message) -> Option<(Ipv6Addr, u32)> {
    let Message::NewAddress(message) = answer else {
        return None;
    };
    let local = message.attributes.iter().find_map(|attribute| {
        let AddressAttribute::Local(local) = attribute else {
            return None;
        };
        Some(local)
    });
    // Of a point-to-point link this is the other end's.
    let address = || {
        message.attributes.iter().find_map(|attribute| {
            let AddressAttribute::Address(address) = attribute else {
                return None;
            };
            Some(address)
        })
    };
    let address = match local.or_else(address)? {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => *address,
    };
    Some((address, message.header.index))
}

/// Where a route leaves.
pub(super) fn leaves_by(answer: &Message) -> Option<u32> {
    let Message::NewRoute(message) = answer else {
        return None;
    };
    message.attributes.iter().find_map(|attribute| {
        let RouteAttribute::Oif(index) = attribute else {
            return None;
        };
        Some(*index)
    })
}

/// What an interface is.
pub(super) fn read_device(answer: &Message) -> Option<Device> {
    let Message::NewLink(message) = answer else {
        return None;
    };
    let mut device = Device {
        index: message.header.index,
        kind: Kind::Physical,
        beneath: None,
        master: None,
    };
    let mut is_elsewhere = false;
    for attribute in &message.attributes {
        if let LinkAttribute::Link(index) = attribute {
            device.beneath = Some(*index);
        } else if let LinkAttribute::Controller(index) = attribute {
            device.master = Some(*index);
        } else if let LinkAttribute::LinkNetNsId(_) = attribute {
            is_elsewhere = true;
        } else if let LinkAttribute::LinkInfo(info) = attribute {
            device.kind = info.iter().find_map(read_kind).unwrap_or(device.kind);
        }
    }
    // An index of another namespace.
    device.beneath = device.beneath.filter(|_| !is_elsewhere);
    if message.header.flags.contains(LinkFlags::Loopback) {
        device.kind = Kind::Loopback;
    }
    Some(device)
}

/// Any other leads to somewhere in this host, or through a tunnel.
static KINDS: [(InfoKind, Kind); 10] = [
    (InfoKind::Bridge, Kind::Bridge),
    (InfoKind::Bond, Kind::Bond),
    (InfoKind::Team, Kind::Bond),
    (InfoKind::Vlan, Kind::Over),
    (InfoKind::MacVlan, Kind::Over),
    (InfoKind::MacVtap, Kind::Over),
    (InfoKind::IpVlan, Kind::Over),
    (InfoKind::IpVtap, Kind::Over),
    (InfoKind::Ipoib, Kind::Physical),
    (InfoKind::Dsa, Kind::Physical),
];

fn read_kind(info: &LinkInfo) -> Option<Kind> {
    let LinkInfo::Kind(found) = info else {
        return None;
    };
    let known = KINDS.iter().find(|(kind, _)| kind == found);
    Some(known.map_or(Kind::Virtual, |(_, kind)| *kind))
}

/// The name of an interface, and what it counted.
pub(super) fn read_counted(answer: &Message) -> Option<(String, Counted)> {
    let Message::NewLink(message) = answer else {
        return None;
    };
    let (mut name, mut counted) = (None, None);
    for attribute in &message.attributes {
        if let LinkAttribute::IfName(found) = attribute {
            name = Some(found.clone());
        } else if let LinkAttribute::Stats64(stats) = attribute {
            counted = Some(of(stats));
        }
    }
    Some((name?, counted?))
}

fn of(stats: &Stats64) -> Counted {
    Counted {
        received: stats.rx_bytes,
        sent: stats.tx_bytes,
        received_drops: stats.rx_dropped.saturating_add(stats.rx_missed_errors),
        sent_drops: stats.tx_dropped,
        queue: None,
    }
}

/// The root of an interface's queueing discipline, by the interface's index. What is beneath it
/// counts there as well (`qdisc_tree_reduce_backlog`, net/sched/sch_api.c).
pub(super) fn root_queue(answer: &Message) -> Option<(u32, Queue)> {
    let Message::NewQueueDiscipline(message) = answer else {
        return None;
    };
    if message.header.parent != TcHandle::ROOT {
        return None;
    }
    let stats = message.attributes.iter().find_map(|attribute| {
        let TcAttribute::Stats2(stats) = attribute else {
            return None;
        };
        Some(stats)
    });
    let queue = stats?.iter().find_map(|stats| {
        let TcStats2::Queue(queue) = stats else {
            return None;
        };
        Some(queue)
    })?;
    // What it holds is not due yet (net/sched/sch_fq.c).
    let is_fair =
        |attribute: &TcAttribute| matches!(attribute, TcAttribute::Kind(kind) if kind == "fq");
    let is_paced = message.attributes.iter().any(is_fair);
    let queue = Queue {
        handle: message.header.handle.into(),
        drops: queue.drops,
        backlog: if is_paced { 0 } else { queue.backlog },
    };
    Some((u32::try_from(message.header.index).ok()?, queue))
}
