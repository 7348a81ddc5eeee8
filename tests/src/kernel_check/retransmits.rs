//! What TCP sends again is counted. A SYN is: a listener whose queue is full drops it
//! (net/ipv4/tcp_input.c, tcp_conn_request), and no other program is needed.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    os::fd::OwnedFd,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use observer_user::kernel::{Kernel, Settings};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with,
    },
};

use super::PATIENCE;

/// The first time is after a second (RFC 6298 2), the second three seconds behind the SYN.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// The one who asks is at the watched port: who sends again counts, not who listens.
pub(super) fn check() -> Result<()> {
    let (listener, address) = bound()?;
    // The queue has room for one more than it says.
    listen(&listener, 0).context("listen")?;
    let _fills_the_queue = TcpStream::connect(address).context("connect")?;
    let (client, SocketAddr::V4(from)) = bound()? else {
        anyhow::bail!("no IPv4 address");
    };
    let settings = Settings {
        http_ports: vec![from.port()],
        ..Settings::default()
    };
    let kernel = Kernel::attach(&settings)?;
    let begun = connect(&client, &address);
    ensure!(begun == Err(Errno::INPROGRESS), "connect: {begun:?}");
    let sent_again = || {
        let mut ports = kernel.retransmits();
        let of_port = ports.find(|(port, _)| *port == from.port());
        of_port.map_or(0, |(_, segments)| segments)
    };
    let begun = Instant::now();
    while sent_again() == 0 {
        ensure!(begun.elapsed() < PATIENCE, "a SYN is not sent again");
        thread::sleep(BETWEEN_LOOKS);
    }
    let segments = sent_again();
    ensure!(segments == 1, "a SYN is {segments} segments");
    Ok(())
}

/// A socket with an address of the loopback.
fn bound() -> Result<(OwnedFd, SocketAddr)> {
    let nonblocking = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, nonblocking, None)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).context("bind")?;
    let address = SocketAddr::try_from(getsockname(&socket)?).context("an address")?;
    Ok((socket, address))
}
