//! Whether the programs load, attach and fire on the kernel this runs on. Needs no other
//! program than itself: it is also run in virtual machines that have nothing else.

mod retransmits;
mod tftp;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use observer_common::conn::{Conn, Tuple};
use observer_user::{
    kernel::{self, Hook, Kernel, Notice, Settings},
    model::event::{Event, Kind},
};

const REQUEST: &[u8] = b"GET /boot/52:54:00:ab:cd:ef HTTP/1.1\r\nHost: check\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// A kernel that takes longer does not do it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Instructions that the verifier may walk for one program: well below the million that it allows,
/// since newer kernels and compilers make it more.
const VERIFIED: u32 = 350_000;
/// The first kernel with `bpf_loop`.
const WITH_LOOP: (u32, u32) = (5, 17);

/// An event, kept.
#[derive(Debug)]
pub struct Seen {
    /// What happened.
    pub kind: Kind,
    /// On which socket.
    pub cookie: u64,
    /// The connection as it stood.
    pub conn: Conn,
    /// The captured bytes.
    pub data: Vec<u8>,
}

/// Attaches, exchanges requests over loopback by IPv4 and IPv6, and checks every event.
/// Returns a line that says what was attached.
pub fn check() -> Result<String> {
    kernel::preflight()?;
    let mut attached = String::new();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener =
            TcpListener::bind(address).with_context(|| format!("listen on {address}"))?;
        let port = listener.local_addr()?.port();
        let settings = Settings {
            http_ports: vec![port],
            ..Settings::default()
        };
        let mut kernel = Kernel::attach(&settings)?;
        attached = probes(&kernel)?;
        let client_port = exchange(&listener, REQUEST, ANSWER)?;
        let seen = drain(&mut kernel);
        let closed = seen.last().context("no event")?.cookie;
        ensure!(
            kernel.conn(closed).is_none(),
            "the entry outlives its socket"
        );
        check_events(&seen, client_port, port).with_context(|| format!("{address}: {seen:#?}"))?;
        let notices = kernel.notices();
        ensure!(
            notices == [Notice::LocalClient(port)],
            "loopback is not recognised: {notices:?}"
        );
        pipelined(&mut kernel, &listener)?;
        drop(kernel);
        local_clients_are_left_out(&listener, settings)?;
        tftp::check(listener.local_addr()?.ip()).context("TFTP")?;
    }
    retransmits::check().context("retransmits")?;
    Ok(attached)
}

/// Requests that do not wait are told apart where the kernel has `bpf_loop` (5.17), and are one
/// turn where it has not. The attached programs have to be those for this kernel.
fn pipelined(kernel: &mut Kernel, listener: &TcpListener) -> Result<()> {
    exchange(listener, &REQUEST.repeat(3), &ANSWER.repeat(3))?;
    let seen = drain(kernel);
    let turns = |kind: Kind, turn: fn(&Conn) -> u32| {
        let of_kind = seen.iter().filter(|seen| seen.kind == kind);
        of_kind.map(|seen| turn(&seen.conn)).collect::<Vec<_>>()
    };
    let told = (
        turns(Kind::Request, |conn| conn.request.turn),
        turns(Kind::Response, |conn| conn.response.turn),
    );
    let has_loop = kernel::version().is_some_and(|version| version >= WITH_LOOP);
    let attached = probes(kernel)?;
    ensure!(attached.contains("_plain") != has_loop, "{attached}");
    let expected = if has_loop {
        (vec![1, 2, 3], vec![1, 2, 3])
    } else {
        (vec![1], vec![1])
    };
    ensure!(told == expected, "pipelined: turns {told:?}: {seen:#?}");
    Ok(())
}

/// Loopback is recognised on both hooks: nothing is told.
fn local_clients_are_left_out(listener: &TcpListener, settings: Settings) -> Result<()> {
    let mut kernel = Kernel::attach(&Settings {
        ignore_local: true,
        ..settings
    })?;
    exchange(listener, REQUEST, ANSWER)?;
    let mut told = 0;
    kernel.drain(|_| told += 1);
    ensure!(told == 0, "{told} events of a client that is left out");
    Ok(())
}

/// Every hook must be attached, in whatever way this kernel allows.
fn probes(kernel: &Kernel) -> Result<String> {
    let mut said = Vec::new();
    for probe in kernel.probes() {
        let verified = probe.verified.unwrap_or(0);
        ensure!(
            verified <= VERIFIED,
            "{} takes the verifier {verified} instructions",
            probe.hook.name()
        );
        match &probe.attached {
            Ok(program) => said.push((*program).to_owned()),
            Err(error) => anyhow::bail!("{} is not attached: {error:#}", probe.hook.name()),
        }
    }
    let expected = Hook::ALL.len();
    ensure!(
        said.len() == expected,
        "{} hooks instead of {expected}",
        said.len()
    );
    Ok(said.join(" "))
}

/// A request and its answer; returns the client's port. Both ends are gone afterwards.
fn exchange(listener: &TcpListener, asked: &[u8], answered: &[u8]) -> Result<u16> {
    let address = listener.local_addr()?;
    thread::scope(|scope| {
        let server = scope.spawn(move || -> Result<()> {
            let (mut stream, _) = listener.accept()?;
            let mut request = vec![0; asked.len()];
            stream.read_exact(&mut request)?;
            stream.write_all(answered)?;
            Ok(())
        });
        let mut stream = TcpStream::connect(address)?;
        let port = stream.local_addr()?.port();
        stream.write_all(asked)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        server
            .join()
            .map_err(|_| anyhow::anyhow!("the server panicked"))??;
        ensure!(answer == answered, "the answer was changed on its way");
        drop(stream);
        Ok(port)
    })
}

/// Takes events until the socket's end was told and its entry is gone: it comes with the last
/// packet, which the kernel may process after both ends have closed.
fn drain(kernel: &mut Kernel) -> Vec<Seen> {
    let mut seen = Vec::new();
    let begun = Instant::now();
    let is_over = |seen: &[Seen], kernel: &Kernel| {
        let closed = seen.iter().find(|seen| seen.kind == Kind::Closed);
        closed.is_some_and(|closed| kernel.conn(closed.cookie).is_none())
    };
    while !is_over(&seen, kernel) && begun.elapsed() < PATIENCE {
        kernel.drain(|record| {
            if let Some(Event { kind, header, data }) = Event::decode(record) {
                seen.push(Seen {
                    kind,
                    cookie: header.cookie,
                    conn: header.conn,
                    data: data.to_vec(),
                });
            }
        });
        thread::yield_now();
    }
    seen
}

fn check_events(seen: &[Seen], client_port: u16, server_port: u16) -> Result<()> {
    let kinds: Vec<Kind> = seen
        .iter()
        .map(|seen| seen.kind)
        .filter(|kind| *kind != Kind::Adopted)
        .collect();
    ensure!(
        kinds == [Kind::Request, Kind::Response, Kind::Closed],
        "events {kinds:?}"
    );
    let [.., request, response, closed] = seen else {
        anyhow::bail!("three events")
    };
    let early = seen.iter().any(|seen| seen.kind == Kind::Adopted);
    let request = if early { &seen[0] } else { request };
    ensure!(request.data == REQUEST, "the request's head");
    ensure!(
        response.data.starts_with(b"HTTP/1.1 200 OK\r\n"),
        "the response's head"
    );
    let Tuple {
        client_port: client,
        server_port: server,
        ..
    } = request.conn.tuple;
    ensure!(
        (client, server) == (client_port, server_port),
        "ports {client} {server}"
    );
    ensure!(early || request.cookie == closed.cookie, "one cookie");

    let Conn {
        request,
        response,
        pickup,
        ..
    } = closed.conn;
    ensure!(
        request.bytes == REQUEST.len() as u64,
        "{} request bytes",
        request.bytes
    );
    ensure!(
        response.bytes == ANSWER.len() as u64,
        "{} response bytes",
        response.bytes
    );
    ensure!(
        pickup.pid == std::process::id(),
        "picked up by {}",
        pickup.pid
    );
    let stamps = [
        request.first_ns,
        pickup.ns,
        response.first_ns,
        response.last_ns,
    ];
    // TCP's own send stamp may be a few microseconds older than the packet hook.
    ensure!(stamps.is_sorted() && stamps[0] != 0, "stamps {stamps:?}");
    Ok(())
}
