//! The interfaces that carry boot traffic, asked of one network namespace (rtnetlink,
//! net/core/rtnetlink.c, net/sched/sch_api.c).

mod message;
mod select;
mod speed;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv6Addr,
    time::{Duration, Instant},
};

use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_sys::protocols::NETLINK_ROUTE;
use rustix::io::Errno;

use self::select::{Device, carriers};
use super::wire::Wire;
use crate::model::links::{Ends, Interface, Queue};

/// Between looks at who owns which address and is beneath what, if nothing seems to have changed:
/// each lists all interfaces.
const SELECT: Duration = Duration::from_secs(30);

/// The number of our own namespace, which no other has.
pub(super) const OWN: u64 = 0;

/// Where interfaces are asked for: in the network namespace of the thread that opened it, wherever
/// it is used then. It keeps that namespace alive.
pub struct Links {
    wire: Wire<Message>,
    namespace: u64,
    /// What the last selection was made for.
    asked: Ends,
    /// Where answers to TFTP clients leave.
    routed: BTreeSet<u32>,
    carriers: Vec<Device>,
    next: Option<Instant>,
}

impl Links {
    /// Of this thread's namespace, which has this number, or [`OWN`].
    pub fn open(namespace: u64) -> io::Result<Self> {
        Ok(Self {
            wire: Wire::open(NETLINK_ROUTE)?,
            namespace,
            asked: Ends::default(),
            routed: BTreeSet::new(),
            carriers: Vec::new(),
            next: None,
        })
    }

    /// The interfaces that have these addresses or lead to these clients, and those beneath them.
    /// Clients that were asked for once are not each time.
    pub fn read(&mut self, ends: &Ends) -> io::Result<Vec<Interface>> {
        // A list that changed while it was made is made again.
        self.select(ends).or_else(|_| self.select(ends))?;
        if self.carriers.is_empty() {
            return Ok(Vec::new());
        }
        let queues = self.queues()?;
        let mut interfaces = Vec::new();
        for device in self.carriers.clone() {
            let Some(mut interface) = self.interface(device)? else {
                // Gone: what is there now?
                self.next = None;
                continue;
            };
            interface.counted.queue = queues.get(&device.index).copied();
            interfaces.push(interface);
        }
        Ok(interfaces)
    }

    fn select(&mut self, ends: &Ends) -> io::Result<()> {
        // There is none again before all of it was read.
        let next = self.next.take().filter(|next| Instant::now() < *next);
        if next.is_none() {
            self.asked = Ends::default();
            self.routed.clear();
        }
        let routed = self.routed.clone();
        let clients = ends.clients.difference(&self.asked.clients);
        let clients: Vec<Ipv6Addr> = clients.copied().collect();
        for client in clients {
            let index = self.leaves_by(client)?;
            self.routed.extend(index);
        }
        let is_same = self.asked.local == ends.local && self.routed == routed;
        if next.is_none() || !is_same {
            self.carriers = self.carriers_of(&ends.local)?;
        }
        self.asked.clone_from(ends);
        self.next = next.or_else(|| Some(Instant::now() + SELECT));
        Ok(())
    }

    fn carriers_of(&mut self, local: &BTreeSet<Ipv6Addr>) -> io::Result<Vec<Device>> {
        if local.is_empty() && self.routed.is_empty() {
            return Ok(Vec::new());
        }
        let mut owners = self.owners(local)?;
        owners.extend(&self.routed);
        Ok(carriers(&self.devices()?, &owners))
    }

    fn owners(&mut self, addresses: &BTreeSet<Ipv6Addr>) -> io::Result<BTreeSet<u32>> {
        let mut owners = BTreeSet::new();
        if addresses.is_empty() {
            return Ok(owners);
        }
        self.wire.all(message::addresses(), |answer| {
            let owned = message::owned(&answer);
            owners.extend(
                owned
                    .filter(|(address, _)| addresses.contains(address))
                    .map(|(_, index)| index),
            );
        })?;
        Ok(owners)
    }

    fn devices(&mut self) -> io::Result<Vec<Device>> {
        let mut devices = Vec::new();
        self.wire.all(message::devices(), |answer| {
            devices.extend(message::read_device(&answer));
        })?;
        Ok(devices)
    }

    /// `None` where there is no route.
    fn leaves_by(&mut self, client: Ipv6Addr) -> io::Result<Option<u32>> {
        let unreachable = [
            Errno::NETUNREACH,
            Errno::HOSTUNREACH,
            Errno::ACCESS,
            Errno::INVAL,
        ];
        match self.wire.one(message::route(client)) {
            Ok(answer) => Ok(message::leaves_by(&answer)),
            Err(error) if is(&error, &unreachable) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `None` if it is gone.
    fn interface(&mut self, device: Device) -> io::Result<Option<Interface>> {
        let answer = match self.wire.one(message::device(device.index)) {
            Ok(answer) => answer,
            Err(error) if is(&error, &[Errno::NODEV]) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some((name, counted)) = message::read_counted(&answer) else {
            return Ok(None);
        };
        let speed = if device.kind.has_speed() && self.namespace == OWN {
            speed::speed(&name, device.index)
        } else {
            None
        };
        Ok(Some(Interface {
            namespace: self.namespace,
            index: device.index,
            name,
            counted,
            speed,
        }))
    }

    fn queues(&mut self) -> io::Result<BTreeMap<u32, Queue>> {
        let mut queues = BTreeMap::new();
        self.wire.all(message::queues(), |answer| {
            queues.extend(message::root_queue(&answer));
        })?;
        Ok(queues)
    }
}

fn is(error: &io::Error, any: &[Errno]) -> bool {
    let code = error.raw_os_error();
    any.iter().any(|errno| code == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests;
