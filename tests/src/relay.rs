//! A bad link: a TUN device in each of two namespaces, and threads that carry packets between
//! them and lose, double or delay some UDP packets, the same ones for the same seed; lose some of
//! TCP; or carry nothing any more.
//!
//! nft only drops, and netem is not in every kernel.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{PipeReader, PipeWriter, Read as _, Write as _, pipe},
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, open},
    ioctl::{Setter, ioctl, opcode},
};

use crate::netns::{Ends, Netns, set_up};

/// What happens to UDP packets, and to TCP's; each number is of a thousand, in each direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Never arrive.
    pub lost: u32,
    /// Arrive, and once more `delay` later.
    pub doubled: u32,
    /// Arrive `delay` later: what is sent meanwhile overtakes them.
    pub late: u32,
    /// How much later.
    pub delay: Duration,
    /// TCP's that never arrive.
    pub segments_lost: u32,
}

/// How many packets met which fate, in one direction: UDP's, but for the last two.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fates {
    /// Arrived once, in time.
    pub passed: u64,
    /// See [`Faults`].
    pub lost: u64,
    /// See [`Faults`].
    pub doubled: u64,
    /// See [`Faults`].
    pub late: u64,
    /// See [`Faults`].
    pub segments_lost: u64,
    /// Came while the link was cut.
    pub cut: u64,
}

/// A bad link; it ends with its value.
pub struct Relay {
    /// The directions end when this does.
    stop: PipeWriter,
    is_cut: Arc<AtomicBool>,
    /// From the near end, and from the far end.
    directions: [JoinHandle<Result<Fates>>; 2],
}

/// More packets than anybody sends before a direction gets its turn.
const QUEUE: &str = "100000";
const PER_MILLE: u32 = 1_000;
/// Larger than any packet that a device's MTU lets through.
const LARGEST: usize = 65_536;

impl Relay {
    /// Links two namespaces; `subnet` is as for [`crate::netns::link`].
    pub fn start(
        near: &Netns,
        far: &Netns,
        subnet: u8,
        faults: Faults,
        seed: u64,
    ) -> Result<(Self, Ends)> {
        let device = format!("r{subnet}");
        let ends = Ends::of(subnet);
        let near_tun = near.inside(|| tun(&device))??;
        let far_tun = far.inside(|| tun(&device))??;
        for (netns, addresses) in [(near, ends.near), (far, ends.far)] {
            set_up(netns, &device, addresses)?;
            // Only the seed decides what is lost.
            netns.ip(&["link", "set", &device, "txqueuelen", QUEUE])?;
        }
        let (stopped, stop) = pipe().context("make a pipe")?;
        let is_cut = Arc::new(AtomicBool::new(false));
        let mut random = fastrand::Rng::with_seed(seed);
        let mut carry = |from: &File, to: &File| -> Result<_> {
            let direction = Direction {
                from: from.try_clone()?,
                to: to.try_clone()?,
                stopped: stopped.try_clone()?,
                is_cut: Arc::clone(&is_cut),
                faults,
                random: random.fork(),
                waiting: BinaryHeap::new(),
                fates: Fates::default(),
            };
            Ok(thread::spawn(move || direction.carry()))
        };
        let directions = [carry(&near_tun, &far_tun)?, carry(&far_tun, &near_tun)?];
        let relay = Self {
            stop,
            is_cut,
            directions,
        };
        Ok((relay, ends))
    }

    /// Carries nothing from now on, or all again.
    pub fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }

    /// Ends it; returns what became of packets from the near end, and from the far end.
    pub fn stop(self) -> Result<[Fates; 2]> {
        drop(self.stop);
        let [near, far] = self.directions.map(|direction| {
            let ended = direction.join();
            ended.map_err(|_| anyhow::anyhow!("a direction panicked"))?
        });
        Ok([near?, far?])
    }
}

/// One of the two.
struct Direction {
    from: File,
    to: File,
    stopped: PipeReader,
    is_cut: Arc<AtomicBool>,
    faults: Faults,
    random: fastrand::Rng,
    /// What is due later, the first on top.
    waiting: BinaryHeap<Reverse<(Instant, Vec<u8>)>>,
    fates: Fates,
}

impl Direction {
    fn carry(mut self) -> Result<Fates> {
        let mut packet = vec![0; LARGEST];
        loop {
            let (readable, stopped) = self.wait()?;
            if stopped {
                return Ok(self.fates);
            }
            self.deliver_due()?;
            if readable {
                let len = self.from.read(&mut packet).context("read from a device")?;
                self.meet_fate(&packet[..len])?;
            }
        }
    }

    /// Until a packet comes, or is due, or it is over; says which of the first and the last.
    fn wait(&self) -> Result<(bool, bool)> {
        let due = self.waiting.peek().map(|Reverse((due, _))| *due);
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        let left = left.map(Timespec::try_from).transpose()?;
        let mut ends = [
            PollFd::from_borrowed_fd(self.from.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.stopped.as_fd(), PollFlags::IN),
        ];
        poll(&mut ends, left.as_ref()).context("wait for packets")?;
        Ok((!ends[0].revents().is_empty(), !ends[1].revents().is_empty()))
    }

    fn deliver_due(&mut self) -> Result<()> {
        let now = Instant::now();
        while let Some(Reverse((due, _))) = self.waiting.peek()
            && *due <= now
        {
            if let Some(Reverse((_, packet))) = self.waiting.pop() {
                self.deliver(&packet)?;
            }
        }
        Ok(())
    }

    fn meet_fate(&mut self, packet: &[u8]) -> Result<()> {
        let Faults {
            lost,
            doubled,
            late,
            delay,
            segments_lost,
        } = self.faults;
        if self.is_cut.load(Ordering::Relaxed) {
            self.fates.cut += 1;
            return Ok(());
        }
        if !is_udp(packet) {
            if segments_lost > 0 && is_tcp(packet) && self.random.u32(..PER_MILLE) < segments_lost {
                self.fates.segments_lost += 1;
                return Ok(());
            }
            return self.deliver(packet);
        }
        let later = Reverse((Instant::now() + delay, packet.to_vec()));
        let drawn = self.random.u32(..PER_MILLE);
        if drawn < lost {
            self.fates.lost += 1;
        } else if drawn < lost + doubled {
            self.fates.doubled += 1;
            self.waiting.push(later);
            self.deliver(packet)?;
        } else if drawn < lost + doubled + late {
            self.fates.late += 1;
            self.waiting.push(later);
        } else {
            self.fates.passed += 1;
            self.deliver(packet)?;
        }
        Ok(())
    }

    fn deliver(&mut self, packet: &[u8]) -> Result<()> {
        self.to.write_all(packet).context("write to a device")
    }
}

/// An IP packet whose protocol is UDP; over IPv6 also a fragment, of whatever it is.
fn is_udp(packet: &[u8]) -> bool {
    const UDP: u8 = 17;
    const FRAGMENT: u8 = 44;
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => packet.get(9) == Some(&UDP),
        Some(6) => packet
            .get(6)
            .is_some_and(|next| [UDP, FRAGMENT].contains(next)),
        _ => false,
    }
}

/// An IP packet whose protocol is TCP.
fn is_tcp(packet: &[u8]) -> bool {
    const TCP: u8 = 6;
    let next = match packet.first().map(|byte| byte >> 4) {
        Some(4) => packet.get(9),
        Some(6) => packet.get(6),
        _ => None,
    };
    next == Some(&TCP)
}

/// `struct ifreq` of netdevice(7), as TUNSETIFF reads it.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// linux/if_tun.h: packets without a link header, and without four bytes before them.
const IFF_TUN_NO_PI: u16 = 0x1001;
/// `_IOW('T', 202, int)`.
const TUNSETIFF: rustix::ioctl::Opcode = opcode::write::<i32>(b'T', 202);

/// A TUN device of the thread's namespace; it ends with its value.
fn tun(name: &str) -> Result<File> {
    let device: OwnedFd = open(
        "/dev/net/tun",
        OFlags::RDWR | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .context("open /dev/net/tun")?;
    let mut request = InterfaceRequest {
        name: [0; 16],
        flags: IFF_TUN_NO_PI,
        rest: [0; 22],
    };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: TUNSETIFF takes a `struct ifreq`, which `InterfaceRequest` is laid out as.
    unsafe {
        let set = Setter::<TUNSETIFF, InterfaceRequest>::new(request);
        ioctl(&device, set).with_context(|| format!("make the device {name}"))?;
    }
    Ok(File::from(device))
}
