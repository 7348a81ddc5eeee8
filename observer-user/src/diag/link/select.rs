//! Which interfaces traffic passes, from those that own its addresses down to those that fill up.

use std::collections::BTreeSet;

/// Interfaces that are read of one namespace, at most.
const MAX: usize = 32;

/// An interface among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) index: u32,
    pub(super) kind: Kind,
    /// The one that it is over, in the same namespace (`IFLA_LINK`); of a veth its other end.
    pub(super) beneath: Option<u32>,
    /// The one that it is part of (`IFLA_MASTER`).
    pub(super) master: Option<u32>,
}

/// What leads further down, and what does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A driver's own.
    Physical,
    /// Of several, which share the traffic: bond, team.
    Bond,
    /// Of several, each to somewhere else.
    Bridge,
    /// Over one other: VLAN, macvlan, ipvlan.
    Over,
    /// Leads to somewhere in this host, or through a tunnel: veth, tap, WireGuard.
    Virtual,
    /// No link.
    Loopback,
}

impl Kind {
    /// Whether the speed that it says is a limit. A veth says 10 Gbit/s for want of a better
    /// answer, and a bridge the highest of its ports.
    pub(super) fn has_speed(self) -> bool {
        match self {
            Self::Physical | Self::Bond | Self::Over => true,
            Self::Bridge | Self::Virtual | Self::Loopback => false,
        }
    }
}

/// The owners of addresses, but loopback, and what is beneath them.
pub(super) fn carriers(devices: &[Device], owners: &BTreeSet<u32>) -> Vec<Device> {
    let mut carriers: Vec<Device> = Vec::new();
    let mut next: Vec<u32> = owners.iter().rev().copied().collect();
    while let Some(index) = next.pop()
        && carriers.len() < MAX
    {
        let found = devices.iter().find(|device| device.index == index);
        let Some(device) = found.filter(|device| device.kind != Kind::Loopback) else {
            continue;
        };
        if carriers.contains(device) {
            continue;
        }
        carriers.push(*device);
        next.extend(beneath(devices, device));
    }
    carriers
}

/// Of a bridge the ports that lead out of this host: a container's is only one of its machines.
fn beneath(devices: &[Device], device: &Device) -> Vec<u32> {
    match device.kind {
        Kind::Over => device.beneath.into_iter().collect(),
        Kind::Bond | Kind::Bridge => devices
            .iter()
            .filter(|part| part.master == Some(device.index))
            .filter(|part| part.kind != Kind::Virtual)
            .map(|part| part.index)
            .collect(),
        Kind::Physical | Kind::Virtual | Kind::Loopback => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LO: u32 = 1;
    const ETH0: u32 = 2;
    const ETH1: u32 = 3;
    const BOND0: u32 = 4;
    const VLAN: u32 = 5;
    const BRIDGE: u32 = 6;
    const VETH: u32 = 7;
    const WG: u32 = 8;
    const MACVLAN: u32 = 9;

    /// eth0 and eth1 are bond0, which has a VLAN, which is a port of br0 beside a veth.
    fn host() -> Vec<Device> {
        let device = |index, kind, beneath, master| Device {
            index,
            kind,
            beneath,
            master,
        };
        vec![
            device(LO, Kind::Loopback, None, None),
            device(ETH0, Kind::Physical, None, Some(BOND0)),
            device(ETH1, Kind::Physical, None, Some(BOND0)),
            device(BOND0, Kind::Bond, None, None),
            device(VLAN, Kind::Over, Some(BOND0), Some(BRIDGE)),
            device(BRIDGE, Kind::Bridge, None, None),
            // The other end of a veth is not beneath it.
            device(VETH, Kind::Virtual, Some(ETH1), Some(BRIDGE)),
            device(WG, Kind::Virtual, None, None),
            // What it is over is in another namespace.
            device(MACVLAN, Kind::Over, None, None),
        ]
    }

    fn of(owners: &[u32]) -> Vec<u32> {
        let owners = owners.iter().copied().collect();
        let mut carriers: Vec<u32> = carriers(&host(), &owners)
            .iter()
            .map(|device| device.index)
            .collect();
        carriers.sort_unstable();
        carriers
    }

    #[test]
    fn traffic_passes_what_is_beneath_the_owner_of_its_address() {
        for (owners, all) in [
            (vec![], vec![]),
            (vec![ETH0], vec![ETH0]),
            (vec![BOND0], vec![ETH0, ETH1, BOND0]),
            (vec![VLAN], vec![ETH0, ETH1, BOND0, VLAN]),
            (vec![BRIDGE], vec![ETH0, ETH1, BOND0, VLAN, BRIDGE]),
            (vec![VETH, WG], vec![VETH, WG]),
            (vec![MACVLAN], vec![MACVLAN]),
            (vec![ETH1, BOND0], vec![ETH0, ETH1, BOND0]),
        ] {
            assert_eq!(of(&owners), all, "{owners:?}");
        }
    }

    #[test]
    fn loopback_is_no_link_and_what_is_gone_is_none() {
        assert!(of(&[LO, 99]).is_empty());
        assert_eq!(of(&[LO, ETH0]), [ETH0]);
    }

    #[test]
    fn a_loop_ends_and_so_do_very_many() {
        let over = |index, beneath| Device {
            index,
            kind: Kind::Over,
            beneath: Some(beneath),
            master: None,
        };
        let ring = [over(1, 2), over(2, 1)];
        assert_eq!(carriers(&ring, &BTreeSet::from([1])), ring);
        let many: Vec<Device> = (0..100).map(|index| over(index, index)).collect();
        assert_eq!(carriers(&many, &(0..100).collect()).len(), MAX);
    }
}
