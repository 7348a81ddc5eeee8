//! What real programs do rarely, or only in firmware.

use std::net::{Ipv4Addr, SocketAddr};

use tests::tftp::{
    Operation, Outcome,
    scripted::{Listener, Peer, ack, data, error, oack, rrq, wrq},
    stage::{Did, Stage, local},
};

const PORT: u16 = 18_271;
/// Where the scripted server reads requests.
pub(crate) const PORTS: [u16; 1] = [PORT];

/// Plays both sides of one read; returns how it ends and what was sent of the file.
type Script = fn(&mut Scene<'_>) -> (Outcome, u64);

/// Each script uses a name of its own, and says how it ends.
pub(crate) fn all(stage: &Stage) -> Vec<Did> {
    let listener = Listener::bind(&stage.here, local(PORT)).expect("listener");
    let scripts: [Script; 15] = [
        edk2_probe,
        edk2_probe_without_options,
        pxelinux_probe,
        ipxe_probe,
        edk2_small_buffer,
        given_up,
        echoed_error,
        doubled_acknowledgements,
        lost_window,
        rollover_to_one,
        two_answers,
        another_address,
        broken_off_by_server,
        denied,
        malformed,
    ];
    let mut did: Vec<Did> = (0..)
        .zip(scripts)
        .map(|(number, script)| play(stage, &listener, number, script))
        .collect();
    did.push(written(stage, &listener));
    did.extend(port_used_again(stage, &listener));
    did
}

fn play(stage: &Stage, listener: &Listener, number: u32, script: Script) -> Did {
    let name = format!("vmlinuz-{number}");
    let client = Peer::client(&stage.here, local(PORT)).expect("client");
    let mut scene = Scene {
        stage,
        listener,
        client,
        name,
    };
    let (outcome, bytes) = script(&mut scene);
    let malformed = outcome == Outcome::Malformed;
    Did {
        file: if malformed { String::new() } else { scene.name },
        operation: Operation::Read,
        outcome,
        bytes,
    }
}

/// A client that has not spoken yet, and whom it speaks to.
struct Scene<'a> {
    stage: &'a Stage,
    listener: &'a Listener,
    client: Peer,
    name: String,
}

/// Name and value.
type Asked<'a> = (&'a str, &'a str);

impl Scene<'_> {
    /// The client asks; the server's end for the transfer.
    fn ask(&mut self, options: &[Asked<'_>]) -> Peer {
        self.client.other = local(PORT);
        let request = rrq(self.name.as_bytes(), "octet", options);
        self.client.send(&request).expect("ask");
        let (asked, client) = self.listener.accept().expect("asked");
        assert_eq!(asked, request);
        Peer::server(&self.stage.here, local(0), client).expect("server")
    }

    /// The same, with an OACK of the same options that has arrived.
    fn negotiate(&mut self, options: &[Asked<'_>]) -> Peer {
        let server = self.ask(options);
        self.down(&server, &oack(options));
        server
    }

    /// From server to client.
    fn down(&mut self, server: &Peer, message: &[u8]) {
        server.send(message).expect("send");
        self.client.expect(message).expect("arrived");
    }

    /// From client to server.
    fn up(&mut self, server: &mut Peer, message: &[u8]) {
        self.client.send(message).expect("send");
        server.expect(message).expect("arrived");
    }
}

fn edk2_probe(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let options = [("tsize", "0"), ("blksize", "1468"), ("windowsize", "4")];
    let mut server = scene.negotiate(&options);
    scene.up(&mut server, &error(8, "User aborted the transfer"));
    (Outcome::SizeProbe, 0)
}

fn edk2_probe_without_options(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let mut server = scene.ask(&[("tsize", "0"), ("blksize", "1468")]);
    scene.down(&server, &data(1, 512));
    scene.up(&mut server, &error(4, "User aborted download"));
    (Outcome::SizeProbe, 512)
}

fn pxelinux_probe(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let mut server = scene.negotiate(&[("tsize", "0"), ("blksize", "1408")]);
    scene.up(&mut server, &error(0, "No error, file close"));
    (Outcome::SizeProbe, 0)
}

fn ipxe_probe(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let mut server = scene.negotiate(&[("tsize", "0"), ("blksize", "1432")]);
    scene.up(&mut server, &ack(0));
    scene.down(&server, &data(1, 1_432));
    scene.up(&mut server, &error(0, "TFTP Aborted"));
    (Outcome::SizeProbe, 1_432)
}

fn edk2_small_buffer(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let mut server = scene.negotiate(&[("blksize", "1024")]);
    scene.up(&mut server, &ack(0));
    scene.down(&server, &data(1, 1_024));
    scene.up(&mut server, &ack(1));
    scene.down(&server, &data(2, 7));
    scene.up(
        &mut server,
        &error(3, "User provided memory block is too small"),
    );
    (Outcome::Aborted, 1_031)
}

fn given_up(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let mut server = scene.ask(&[]);
    for block in 1..=2 {
        scene.down(&server, &data(block, 512));
        scene.up(&mut server, &ack(block));
    }
    scene.up(&mut server, &error(0, "TFTP Aborted"));
    (Outcome::Aborted, 1_024)
}

fn echoed_error(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let mut server = scene.negotiate(&[("tsize", "0")]);
    scene.up(&mut server, &error(8, "User aborted the transfer"));
    scene.down(
        &server,
        &error(1, "code: 8, message: User aborted the transfer"),
    );
    (Outcome::SizeProbe, 0)
}

/// Of a server that sends again for each: the sorcerer's apprentice.
fn doubled_acknowledgements(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let mut server = scene.ask(&[]);
    for (block, len) in [(1, 512), (2, 512), (3, 511)] {
        scene.down(&server, &data(block, len));
        if block != 1 {
            scene.down(&server, &data(block, len));
        }
        scene.up(&mut server, &ack(block));
    }
    (Outcome::Complete, 1_535)
}

/// The client got the first block of a window only.
fn lost_window(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let mut server = scene.negotiate(&[("windowsize", "4"), ("blksize", "100")]);
    scene.up(&mut server, &ack(0));
    for block in 1..=4 {
        scene.down(&server, &data(block, 100));
    }
    scene.up(&mut server, &ack(1));
    for block in 2..=4 {
        scene.down(&server, &data(block, 100));
    }
    scene.down(&server, &data(5, 0));
    scene.up(&mut server, &ack(5));
    (Outcome::Complete, 400)
}

fn rollover_to_one(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let mut server = scene.negotiate(&[("blksize", "8")]);
    scene.up(&mut server, &ack(0));
    let blocks = (1..=u16::MAX).chain(1..=10);
    for block in blocks {
        scene.down(&server, &data(block, 8));
        scene.up(&mut server, &ack(block));
    }
    scene.down(&server, &data(11, 3));
    scene.up(&mut server, &ack(11));
    (Outcome::Complete, (65_535 + 10) * 8 + 3)
}

/// The client asks again too early; a second transfer for it comes to nothing.
fn two_answers(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let first = scene.ask(&[("tsize", "0")]);
    let mut second = scene.ask(&[("tsize", "0")]);
    scene.down(&first, &oack(&[("tsize", "9")]));
    scene.down(&second, &oack(&[("tsize", "9")]));
    scene.up(&mut second, &ack(0));
    scene.down(&second, &data(1, 9));
    first.send(&oack(&[("tsize", "9")])).expect("send");
    scene.client.other = second.local().expect("address");
    scene.up(&mut second, &ack(1));
    (Outcome::Complete, 9)
}

fn another_address(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let asked = scene.ask(&[]);
    let other = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), 0));
    let mut server = Peer::server(&scene.stage.here, other, asked.other).expect("server");
    scene.down(&server, &data(1, 10));
    scene.up(&mut server, &ack(1));
    (Outcome::Complete, 10)
}

fn broken_off_by_server(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let mut server = scene.ask(&[]);
    scene.down(&server, &data(1, 512));
    scene.up(&mut server, &ack(1));
    scene.down(&server, &error(0, "cannot read"));
    (Outcome::ServerError, 512)
}

fn denied(scene: &mut Scene<'_>) -> (Outcome, u64) {
    let server = scene.ask(&[]);
    scene.down(&server, &error(2, "Access violation"));
    (Outcome::Denied, 0)
}

fn malformed(scene: &mut Scene<'_>) -> (Outcome, u64) {
    scene.client.send(b"\0\x01vmlinuz").expect("ask");
    scene.listener.accept().expect("asked");
    (Outcome::Malformed, 0)
}

/// A client that ends without a word; the server sends it another block.
pub(crate) fn gone(stage: &Stage) -> Did {
    let listener = Listener::bind(&stage.here, local(PORT)).expect("listener");
    play(stage, &listener, 0, |scene| {
        let mut server = scene.ask(&[]);
        scene.down(&server, &data(1, 512));
        scene.up(&mut server, &ack(1));
        // Its socket closes with its value.
        scene.client = Peer::client(&scene.stage.here, local(PORT)).expect("client");
        server.send(&data(2, 512)).expect("send");
        (Outcome::Timeout, 1_024)
    })
}

/// A file that goes to the server.
fn written(stage: &Stage, listener: &Listener) -> Did {
    let mut client = Peer::client(&stage.here, local(PORT)).expect("client");
    client
        .send(&wrq(b"vmlinuz-written", "octet", &[]))
        .expect("ask");
    let (_, from) = listener.accept().expect("asked");
    let mut server = Peer::server(&stage.here, local(0), from).expect("server");
    server.send(&ack(0)).expect("send");
    client.expect(&ack(0)).expect("begin");
    for (block, len) in [(1, 512), (2, 5)] {
        client.send(&data(block, len)).expect("send");
        server.expect(&data(block, len)).expect("a block");
        server.send(&ack(block)).expect("send");
        client.expect(&ack(block)).expect("acknowledged");
    }
    Did {
        file: "vmlinuz-written".to_owned(),
        operation: Operation::Write,
        outcome: Outcome::Complete,
        bytes: 517,
    }
}

/// A single-port server, and a client that never changes its port.
fn port_used_again(stage: &Stage, listener: &Listener) -> Vec<Did> {
    let mut client = Peer::client(&stage.here, local(PORT)).expect("client");
    let mut one = |name: &str, outcome| {
        client
            .send(&rrq(name.as_bytes(), "octet", &[]))
            .expect("ask");
        let (_, from) = listener.accept().expect("asked");
        let mut server = listener.answer(from).expect("server");
        server.send(&data(1, 6)).expect("send");
        client.expect(&data(1, 6)).expect("a block");
        if outcome == Outcome::Complete {
            client.send(&ack(1)).expect("send");
            server.expect(&ack(1)).expect("acknowledged");
        }
        Did {
            file: name.to_owned(),
            operation: Operation::Read,
            outcome,
            bytes: 6,
        }
    };
    vec![
        one("vmlinuz-a", Outcome::Complete),
        one("vmlinuz-a", Outcome::Complete),
        one("vmlinuz-b", Outcome::CompleteUnacked),
        one("vmlinuz-c", Outcome::Complete),
    ]
}
