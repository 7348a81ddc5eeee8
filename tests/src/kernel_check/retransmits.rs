//! What a server sends again is counted: an answer to a client that hears nothing any more, for a
//! filter takes all that arrives.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use observer_user::kernel::{Kernel, Settings};
use socket2::{SockFilter, SockRef};

use super::PATIENCE;

/// The first time is after 200 ms (include/net/tcp.h, `TCP_RTO_MIN`).
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// Of a classic filter: `BPF_RET | BPF_K`, no byte.
const NOTHING: SockFilter = SockFilter::new(6, 0, 0, 0);

pub(super) fn check() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
    let address = listener.local_addr()?;
    let settings = Settings {
        http_ports: vec![address.port()],
        ..Settings::default()
    };
    let kernel = Kernel::attach(&settings)?;
    let mut client = TcpStream::connect(address).context("connect")?;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    let (mut server, _) = listener.accept().context("accept")?;
    ensure!(server.read(&mut [0; 64])? != 0, "no request");
    let filter = SockRef::from(&client).attach_filter(&[NOTHING]);
    filter.context("attach a filter to a socket")?;
    server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    let sent_again = || {
        let mut ports = kernel.retransmits();
        let of_port = ports.find(|(port, _)| *port == address.port());
        of_port.map_or(0, |(_, segments)| segments)
    };
    let begun = Instant::now();
    while sent_again() < 2 {
        ensure!(begun.elapsed() < PATIENCE, "nothing is sent again");
        thread::sleep(BETWEEN_LOOKS);
    }
    Ok(())
}
