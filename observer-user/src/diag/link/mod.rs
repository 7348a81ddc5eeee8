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
    /// Of this thread's namespace, which has this number.
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
    /// Clients that were asked for once need not be again.
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
        let is_due = self.next.is_none_or(|next| Instant::now() >= next);
        let clients = ends.clients.difference(&self.asked.clients);
        let clients: Vec<Ipv6Addr> = clients.copied().collect();
        let routed = self.routed.len();
        for client in clients {
            let index = self.leaves_by(client)?;
            self.routed.extend(index);
        }
        self.asked.clients.clone_from(&ends.clients);
        if ends.local.is_empty() && self.routed.is_empty() {
            return Ok(());
        }
        if !is_due && self.asked.local == ends.local && self.routed.len() == routed {
            return Ok(());
        }
        // Not before all of it was read.
        self.next = None;
        let mut owners = self.owners(&ends.local)?;
        let devices = self.devices()?;
        self.routed
            .retain(|index| devices.iter().any(|device| device.index == *index));
        owners.extend(&self.routed);
        self.carriers = carriers(&devices, &owners);
        self.asked.local.clone_from(&ends.local);
        self.next = Some(Instant::now() + SELECT);
        Ok(())
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
        let speed = if device.kind.has_speed() {
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
