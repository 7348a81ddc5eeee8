//! The programs on the host's kernel, and the same programs compiled for the host: the same
//! packets, the same events.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
};

use observer_common::{
    conn::{Ack, Conn, Pickup},
    event::{ADOPTED, Header},
    flow::Flow,
};
use observer_user::kernel::{Kernel, Settings};
use tests::{
    capture::Capture,
    client, cpu,
    netns::Netns,
    require_root,
    verify::{self, Ports},
};

const CONNECTIONS: u64 = 300;

/// A fixed sequence of numbers.
struct Numbers(fastrand::Rng);

impl Numbers {
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.0.usize(..all.len())]
    }

    /// What a client may say, whole requests or not.
    fn requests(&mut self) -> Vec<u8> {
        let long = format!("GET /long HTTP/1.1\r\nCookie: {}\r\n\r\n", "c".repeat(3000));
        let whole = [
            "GET /boot/52:54:00:ab:cd:ef HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "HEAD /kernel HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\nGET /vmlinuz HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /api HTTP/1.1\r\nContent-Length: 7\r\n\r\nmac=abc",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "PROPFIND /dav HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
            &long,
        ];
        let mut said = Vec::new();
        for _ in 0..self.0.usize(1..6) {
            said.extend(self.of(&whole).as_bytes());
        }
        match self.0.u8(..12) {
            0 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            1 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            2 => b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            3 => {
                said.truncate(self.0.usize(..said.len()));
                said
            }
            _ => said,
        }
    }

    /// What a server may say.
    fn responses(&mut self) -> Vec<u8> {
        let large = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n{}",
            "b".repeat(9000)
        );
        let all = [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 900\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nanything",
            "HTTP/1.0 200 OK\r\n\r\nuntil the end",
            "no status line at all\r\n\r\n",
            &large,
        ];
        let mut said = Vec::new();
        for _ in 0..self.0.usize(..6) {
            said.extend(self.of(&all).as_bytes());
        }
        said
    }
}

/// Both ends of a connection, in one thread: what comes first is no matter of chance.
fn converse(listener: &TcpListener, seed: u64) {
    let mut numbers = Numbers(fastrand::Rng::with_seed(seed));
    let client = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    for end in [&client, &server] {
        end.set_nodelay(true).expect("each write is a segment");
    }
    let (mut asked, mut answered) = (numbers.requests(), numbers.responses());
    while !asked.is_empty() || !answered.is_empty() {
        let pieces = [1, 2, 3, 7, 8, 9, 20, 64, 200, 500, 1400, 6000];
        let piece = numbers.of(&pieces);
        if answered.is_empty() || (!asked.is_empty() && numbers.0.bool()) {
            let rest = asked.split_off(piece.min(asked.len()));
            (&client).write_all(&asked).expect("ask");
            (&server)
                .read_exact(&mut vec![0; asked.len()])
                .expect("the server reads");
            asked = rest;
        } else {
            let rest = answered.split_off(piece.min(answered.len()));
            (&server).write_all(&answered).expect("answer");
            (&client)
                .read_exact(&mut vec![0; answered.len()])
                .expect("the client reads");
            answered = rest;
        }
    }
    end(&mut numbers, client, server);
}

/// A process that closes first no longer has a socket when the other's FIN comes, which no packet
/// tells: a server only shuts down.
fn end(numbers: &mut Numbers, client: TcpStream, server: TcpStream) {
    match numbers.0.u8(..5) {
        0 => client::reset(client).expect("reset"),
        1 => client::reset(server).expect("reset"),
        2 | 3 => drop(client),
        _ => {
            server.shutdown(Shutdown::Write).expect("shut down");
            drop(client);
        }
    }
}

/// What an event says, but for when, of which socket, and who took the request up.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    kind: u8,
    offset: u32,
    conn: Conn,
    data: Vec<u8>,
}

/// By the client's port.
type Told = BTreeMap<u16, Vec<Said>>;

fn tell(told: &mut Told, record: &[u8]) {
    let (header, data) = Header::split(record).expect("a record");
    // The kernel's own handshake decides whether the listener sees the first bytes.
    if header.kind == ADOPTED {
        return;
    }
    let conn = header.conn;
    let said = Said {
        kind: header.kind,
        offset: header.offset,
        conn: Conn {
            request: without_times(conn.request),
            response: without_times(conn.response),
            ack: Ack {
                all_ns: u64::from(conn.ack.all_ns != 0),
                ..conn.ack
            },
            pickup: Pickup::default(),
            ..conn
        },
        data: data.to_vec(),
    };
    told.entry(conn.tuple.client_port).or_default().push(said);
}

/// Whether they are there.
fn without_times(flow: Flow) -> Flow {
    Flow {
        first_ns: u64::from(flow.first_ns != 0),
        last_ns: u64::from(flow.last_ns != 0),
        end_ns: u64::from(flow.end_ns != 0),
        ..flow
    }
}

#[test]
fn the_programs_tell_on_the_kernel_what_they_tell_on_the_host() {
    require_root();
    let netns = Netns::new("model").expect("namespace");
    let (capture, listener) = netns
        .inside(|| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
            let port = listener.local_addr().expect("address").port();
            (Capture::segments(&netns, port), listener)
        })
        .expect("inside");
    let capture = capture.expect("capture");
    let port = listener.local_addr().expect("address").port();
    let settings = Settings {
        http_ports: vec![port],
        ..Settings::default()
    };
    let mut kernel = Kernel::attach(&settings).expect("attach");
    let mut real = Told::new();
    netns
        .inside(|| {
            // The order of packets is then that of the hooks.
            cpu::stay_on_one().expect("stay");
            for seed in 0..CONNECTIONS {
                converse(&listener, seed);
            }
        })
        .expect("inside");
    kernel.drain(|record| tell(&mut real, record));

    let captured = capture.end(&netns).expect("the capture");
    let ports = Ports {
        http: vec![port],
        tftp: Vec::new(),
    };
    let mut modelled = Told::new();
    for record in verify::records(&captured.path(), &ports).expect("replayed") {
        tell(&mut modelled, &record);
    }
    assert!(real.len() > 200, "{} connections told", real.len());
    for (client, said) in &real {
        for (at, one) in said.iter().enumerate() {
            let other = modelled.get(client).and_then(|said| said.get(at));
            assert_eq!(Some(one), other, "client port {client}, event {at}");
        }
        assert_eq!(said.len(), modelled[client].len(), "client port {client}");
    }
    assert_eq!(real.len(), modelled.len());
}
