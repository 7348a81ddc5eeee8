//! Network namespaces and the links between them.

use std::{
    fs::{self, File},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::AsFd as _,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use anyhow::{Context as _, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::run;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A namespace with its loopback up.
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes one; the name is unique to this process.
    pub fn new(purpose: &str) -> Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let netns = Self {
            name: format!("pxeo-{}-{number}-{purpose}", std::process::id()),
        };
        run(Command::new("ip").args(["netns", "add", &netns.name]))?;
        netns.ip(&["link", "set", "lo", "up"])?;
        Ok(netns)
    }

    /// Runs `ip` inside.
    pub fn ip(&self, args: &[&str]) -> Result<()> {
        run(Command::new("ip").args(["-netns", &self.name]).args(args)).map(drop)
    }

    /// A command inside. `nsenter` instead of `ip netns exec`, which would hide cgroup2.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).arg(program);
        command
    }

    /// Runs a closure on a thread inside.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let namespace = File::open(self.path()).with_context(|| format!("open {}", self.path()))?;
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .context("enter the network namespace")?;
                Ok(work())
            });
            inside
                .join()
                .map_err(|panic| std::panic::resume_unwind(panic))?
        })
    }

    /// One of its counters of /proc/net/netstat.
    pub fn netstat(&self, name: &str) -> Result<u64> {
        let text = self.inside(|| fs::read_to_string("/proc/thread-self/net/netstat"))??;
        let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split(' ').collect()).collect();
        let mut pairs = lines
            .chunks_exact(2)
            .flat_map(|pair| pair[0].iter().zip(&pair[1]));
        let value = pairs.find_map(|(found, value)| (*found == name).then_some(*value));
        value
            .context("a counter of this name")?
            .parse()
            .context("a number")
    }

    fn path(&self) -> String {
        format!("/run/netns/{}", self.name)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("ip").args(["netns", "del", &self.name])) {
            eprintln!("namespace {} stays behind: {error:#}", self.name);
        }
    }
}

/// Addresses of the two ends of a [`link`].
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// The first end.
    pub near: [IpAddr; 2],
    /// The second end.
    pub far: [IpAddr; 2],
}

/// Links two namespaces by a veth pair with an IPv4 and an IPv6 address each. `subnet` keeps
/// several links apart.
pub fn link(near: &Netns, far: &Netns, subnet: u8) -> Result<Ends> {
    let (near_dev, far_dev) = (format!("n{subnet}"), format!("f{subnet}"));
    near.ip(&[
        "link", "add", &near_dev, "type", "veth", "peer", "name", &far_dev, "netns", &far.name,
    ])?;
    let ends = Ends::of(subnet);
    set_up(near, &near_dev, ends.near)?;
    set_up(far, &far_dev, ends.far)?;
    Ok(ends)
}

impl Ends {
    /// Of a link with this number.
    pub(crate) fn of(subnet: u8) -> Self {
        Self {
            near: addresses(subnet, 1),
            far: addresses(subnet, 2),
        }
    }
}

/// Gives a device its addresses, usable at once.
pub(crate) fn set_up(netns: &Netns, device: &str, [v4, v6]: [IpAddr; 2]) -> Result<()> {
    netns.ip(&["addr", "add", &format!("{v4}/24"), "dev", device])?;
    // No duplicate address detection.
    netns.ip(&["addr", "add", &format!("{v6}/64"), "dev", device, "nodad"])?;
    netns.ip(&["link", "set", device, "up"])
}

fn addresses(subnet: u8, host: u8) -> [IpAddr; 2] {
    let v6 = Ipv6Addr::new(0xfd44, 0, 0, subnet.into(), 0, 0, 0, host.into());
    [Ipv4Addr::new(10, 44, subnet, host).into(), v6.into()]
}
