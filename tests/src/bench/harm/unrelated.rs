//! What has nothing to do with what is watched.

use std::{
    fs::File,
    hint::black_box,
    net::{Ipv4Addr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::work::{Told, Work};
use crate::{cpu, netns::Netns};

const ROUND_TRIPS: u32 = 60_000;
const SYSCALLS: u32 = 300_000;
/// Who says nothing for so long is broken.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn works(netns: &Netns) -> Vec<Work<'_>> {
    vec![
        Work {
            title: "harm: UDP there and back on an unwatched port, two threads on one CPU",
            run: Box::new(|| netns.inside(ping_pong)?),
        },
        Work {
            title: "harm: getppid, openat and close",
            run: Box::new(|| Ok(vec![syscalls()?])),
        },
    ]
}

/// One CPU: who wakes where is no part of it.
fn ping_pong() -> Result<Vec<Told>> {
    cpu::stay_on_one()?;
    let (near, far) = (bind()?, bind()?);
    near.connect(far.local_addr()?)?;
    far.connect(near.local_addr()?)?;
    thread::scope(|scope| {
        let echo = scope.spawn(move || echo(&far));
        let begun = Instant::now();
        for _ in 0..ROUND_TRIPS {
            near.send(&[0; 64])?;
            near.recv(&mut [0; 64]).context("an echo")?;
        }
        let rate = f64::from(ROUND_TRIPS) / begun.elapsed().as_secs_f64();
        echo.join()
            .map_err(|panic| std::panic::resume_unwind(panic))??;
        Ok(vec![Told::rate(rate, "1/s")])
    })
}

fn bind() -> Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("bind")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn echo(socket: &UdpSocket) -> Result<()> {
    let mut message = [0; 64];
    for _ in 0..ROUND_TRIPS {
        socket.recv(&mut message).context("a datagram")?;
        socket.send(&message)?;
    }
    Ok(())
}

fn syscalls() -> Result<Told> {
    let begun = Instant::now();
    for _ in 0..SYSCALLS {
        black_box(rustix::process::getppid());
        drop(File::open("/dev/null").context("open")?);
    }
    let rate = f64::from(SYSCALLS) / begun.elapsed().as_secs_f64();
    Ok(Told::rate(rate, "1/s"))
}
