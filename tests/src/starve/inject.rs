//! Causes, made and removed.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::fs::{Advice, fadvise};
use tokio::sync::watch;

use super::{
    Scenario, boot,
    cgroup::{Limit, Limited},
    clients::Weather,
    web::{self, Web},
    world::{DEVICE, World},
};
use crate::{netns::Netns, process, process::run};

/// What removes a cause.
pub(super) enum Injected {
    Nothing,
    Weather,
    /// This file makes the server slow.
    Slow(PathBuf),
    Stopped,
    Down,
    Disk(Limited, Forgetting),
    Processor(Limited),
    Dropping,
    Shaped,
}

/// Bytes a second of a slow client.
const SLOW: u64 = 100_000;
/// Bytes a second that are read of a slow disk.
const DISK: u64 = 1 << 20;
/// Thousandths of a processor that a starved TFTP server has.
const PROCESSOR: u32 = 10;
/// A whole transfer takes half a minute then.
const TFTP_PAUSE: Duration = Duration::from_millis(600);
/// Packets of a hundred.
const LOST: u32 = 3;
const RATE: &str = "50mbit";

/// Has the cause from now on.
pub(super) fn inject(
    scenario: Scenario,
    world: &mut World,
    machines: &Netns,
    weather: &watch::Sender<Weather>,
) -> Result<Injected> {
    Ok(match scenario {
        Scenario::Control => Injected::Nothing,
        Scenario::Converter | Scenario::SlowStore | Scenario::SmallBacklog => slow(world)?,
        Scenario::FewWorkers | Scenario::SlowClients => {
            weather.send_modify(|weather| weather.os_speed = Some(SLOW));
            Injected::Weather
        }
        Scenario::TftpLimit => {
            weather.send_modify(|weather| weather.tftp_pause = TFTP_PAUSE);
            Injected::Weather
        }
        Scenario::Stopped => {
            world.web()?.hold(true)?;
            Injected::Stopped
        }
        Scenario::Down => {
            world.web.take().context("a server")?.end()?;
            Injected::Down
        }
        Scenario::SlowDisk => slow_disk(world)?,
        Scenario::Loss => drop_packets(machines, &format!("tcp sport {}", web::PORT))?,
        Scenario::TftpLoss => drop_packets(machines, "udp sport 1024-65535")?,
        Scenario::Link => shape(&world.server)?,
        Scenario::UdpDrops => {
            let limit = Limit::Processor(PROCESSOR);
            let limited = Limited::new(limit, &[world.tftp.pid()])?;
            weather.send_modify(|weather| weather.storm = true);
            Injected::Processor(limited)
        }
    })
}

/// Has it no more.
pub(super) fn remove(
    injected: Injected,
    world: &mut World,
    machines: &Netns,
    weather: &watch::Sender<Weather>,
) -> Result<()> {
    weather.send_replace(Weather::default());
    match injected {
        Injected::Nothing | Injected::Weather => Ok(()),
        Injected::Slow(file) => fs::remove_file(file).context("a server's file"),
        Injected::Stopped => world.web()?.hold(false),
        Injected::Down => {
            world.web = Some(Web::start(&world.server, Scenario::Down)?);
            Ok(())
        }
        Injected::Disk(limited, forgetting) => {
            drop(limited);
            forgetting.stop()
        }
        Injected::Processor(limited) => {
            drop(limited);
            Ok(())
        }
        Injected::Dropping => nft(machines, "delete table inet starve"),
        Injected::Shaped => tc(&world.server, &["qdisc", "del", "dev", DEVICE, "root"]),
    }
}

fn slow(world: &World) -> Result<Injected> {
    let file = world.web()?.slow_file()?.to_owned();
    File::create(&file).context("a server's file")?;
    Ok(Injected::Slow(file))
}

/// Where packets arrive: a sender that is refused would know that they were not sent.
fn drop_packets(machines: &Netns, which: &str) -> Result<Injected> {
    nft(
        machines,
        &format!(
            "table inet starve {{ chain arriving {{ type filter hook input priority 0; \
             {which} numgen random mod 100 < {LOST} counter drop; }}; }}"
        ),
    )?;
    Ok(Injected::Dropping)
}

fn shape(server: &Netns) -> Result<Injected> {
    let shape = ["rate", RATE, "burst", "64kb", "limit", "100kb"];
    let add = ["qdisc", "add", "dev", DEVICE, "root", "tbf"];
    tc(server, &[&add[..], &shape].concat())?;
    Ok(Injected::Shaped)
}

fn slow_disk(world: &World) -> Result<Injected> {
    let web = world.web()?;
    let www = web.www();
    let workers = process::children(web.pid())?;
    let limited = Limited::new(Limit::Reads(DISK, &www), &workers)?;
    Ok(Injected::Disk(limited, Forgetting::start(www)))
}

fn nft(netns: &Netns, rule: &str) -> Result<()> {
    run(netns.command("nft").arg(rule)).map(drop)
}

fn tc(netns: &Netns, args: &[&str]) -> Result<()> {
    let mut command: Command = netns.command("tc");
    run(command.args(args)).map(drop)
}

/// Has the kernel forget files again and again, so that each read is one of the disk.
pub(super) struct Forgetting {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

const AGAIN: Duration = Duration::from_millis(50);

impl Forgetting {
    fn start(www: PathBuf) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for (path, _) in boot::files() {
                    let file = File::open(www.join(path.trim_start_matches('/')))?;
                    fadvise(&file, 0, None, Advice::DontNeed)?;
                }
                thread::sleep(AGAIN);
            }
            Ok(())
        });
        Self { is_over, thread }
    }

    fn stop(self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow::anyhow!("who forgets panicked"))?
    }
}
