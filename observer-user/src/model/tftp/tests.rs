use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};

use observer_common::tftp::{ACK, DATA, ERROR, OACK, Peer, RRQ, UNANSWERED_NS, WRQ};
use proptest::prelude::*;

use programs::{Hook, Kernel, wire::Datagram};

use super::{Event, Fact, Operation, Outcome, Transfers, fact::Sender};
use crate::model::classify::Classifier;

/// Where a server answers from.
const TID: u16 = 40_000;
const SECOND: u64 = 1_000_000_000;
/// Compiled once.
static DRAGONFLY: LazyLock<Arc<Classifier>> = LazyLock::new(|| Classifier::dragonfly().into());

/// A server's host, and what is found out there.
pub(super) struct Host {
    kernel: Kernel,
    pub(super) transfers: Transfers,
    peer: Peer,
    now_ns: u64,
    facts: Vec<Fact>,
}

impl Host {
    pub(super) fn new() -> Self {
        Self {
            kernel: Kernel::new(&[], &[69]),
            transfers: Transfers::new(Arc::clone(&DRAGONFLY)),
            peer: Peer {
                port: 2070,
                ..Peer::default()
            },
            now_ns: SECOND,
            facts: Vec::new(),
        }
    }

    fn take(&mut self, hook: Hook, local_port: u16, payload: &[u8]) {
        self.now_ns += 1_000_000;
        let datagram = Datagram {
            hook,
            peer: self.peer,
            local_port,
            at_ns: self.now_ns,
            len: u32::try_from(payload.len()).expect("short"),
            payload,
        };
        datagram.pass(&mut self.kernel);
        for record in self.kernel.transfer_events() {
            let event = Event::decode(&record).expect("one of ours");
            self.transfers.on_event(&event, &mut self.facts);
        }
    }

    pub(super) fn asks(&mut self, payload: &[u8]) {
        self.take(Hook::Ingress, 69, payload);
    }

    pub(super) fn says(&mut self, payload: &[u8]) {
        self.take(Hook::Ingress, TID, payload);
    }

    pub(super) fn answers(&mut self, payload: &[u8]) {
        self.take(Hook::Egress, TID, payload);
    }

    pub(super) fn look(&mut self) {
        for peer in self.transfers.due(self.now_ns) {
            let entry = self.kernel.transfer(&peer).expect("an entry");
            self.transfers
                .on_entry(&peer, &entry, self.now_ns, &mut self.facts);
        }
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now_ns += seconds * SECOND;
        self.look();
    }

    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        let ended = |fact: &Fact| match fact {
            Fact::Ended { outcome, .. } => Some(*outcome),
            _ => None,
        };
        self.facts.iter().filter_map(ended).collect()
    }

    /// Bytes sent, received, and packets sent again.
    fn moved(&self) -> (u64, u64, u64) {
        let mut sums = (0, 0, 0);
        for fact in &self.facts {
            if let Fact::Moved {
                sent,
                received,
                retransmits,
                ..
            } = fact
            {
                sums = (sums.0 + sent, sums.1 + received, sums.2 + retransmits);
            }
        }
        sums
    }
}

pub(super) fn request(opcode: u16, name: &str, options: &str) -> Vec<u8> {
    let options = options.replace(['=', ' '], "\0");
    let end = if options.is_empty() { "" } else { "\0" };
    let text = format!("{name}\0octet\0{options}{end}");
    [&opcode.to_be_bytes(), text.as_bytes()].concat()
}

pub(super) fn oack(options: &str) -> Vec<u8> {
    let text = options.replace(['=', ' '], "\0") + "\0";
    [&OACK.to_be_bytes(), text.as_bytes()].concat()
}

pub(super) fn data(block: u16, len: usize) -> Vec<u8> {
    [&DATA.to_be_bytes(), &block.to_be_bytes(), &*vec![7; len]].concat()
}

pub(super) fn ack(block: u16) -> Vec<u8> {
    [ACK.to_be_bytes(), block.to_be_bytes()].concat()
}

fn error(code: u16) -> Vec<u8> {
    let head = [ERROR.to_be_bytes(), code.to_be_bytes()].concat();
    [&head, &b"why\0"[..]].concat()
}

/// What a client or a server sends after the request.
enum Said {
    Client(Vec<u8>),
    Server(Vec<u8>),
}
use Said::{Client, Server};

struct Case {
    name: &'static str,
    options: &'static str,
    said: Vec<Said>,
    outcome: Outcome,
}

fn case(
    name: &'static str,
    options: &'static str,
    outcome: Outcome,
    said: impl Into<Vec<Said>>,
) -> Case {
    Case {
        name,
        options,
        said: said.into(),
        outcome,
    }
}

/// As boot clients and servers behave.
fn cases() -> Vec<Case> {
    const PROBE: &str = "tsize=0 blksize=1408";
    let agreed = || Server(oack("tsize=4000 blksize=1408"));
    let small = || Server(oack("tsize=600 blksize=1408"));
    vec![
        case(
            "without options",
            "",
            Outcome::Complete,
            [
                Server(data(1, 512)),
                Client(ack(1)),
                Server(data(2, 0)),
                Client(ack(2)),
            ],
        ),
        case(
            "one block, larger than without options",
            PROBE,
            Outcome::Complete,
            [
                small(),
                Client(ack(0)),
                Server(data(1, 600)),
                Client(ack(1)),
            ],
        ),
        case(
            "an acknowledgement of five bytes",
            "msftwindow=31416",
            Outcome::Complete,
            [
                Server(oack("msftwindow=27182")),
                Client([ack(0), vec![4]].concat()),
                Server(data(1, 5)),
                Client([ack(1), vec![4]].concat()),
            ],
        ),
        case(
            "the server takes no option",
            PROBE,
            Outcome::Complete,
            [
                Server(data(1, 512)),
                Client(ack(1)),
                Server(data(2, 100)),
                Client(ack(2)),
            ],
        ),
        case(
            "UEFI asks for the size",
            PROBE,
            Outcome::SizeProbe,
            [agreed(), Client(error(8))],
        ),
        case(
            "a ROM asks for the size",
            PROBE,
            Outcome::SizeProbe,
            [agreed(), Client(error(0))],
        ),
        case(
            "GRUB looks whether it is there",
            PROBE,
            Outcome::SizeProbe,
            [agreed(), Client(ack(0)), Client(error(0))],
        ),
        case(
            "iPXE's probe for the next loader",
            PROBE,
            Outcome::SizeProbe,
            [
                agreed(),
                Client(ack(0)),
                Server(data(1, 1408)),
                Client(error(0)),
            ],
        ),
        case(
            "UEFI and a server without options",
            PROBE,
            Outcome::SizeProbe,
            [Server(data(1, 512)), Client(error(4))],
        ),
        case(
            "UEFI's buffer is too small",
            PROBE,
            Outcome::Aborted,
            [
                small(),
                Client(ack(0)),
                Server(data(1, 600)),
                Client(error(3)),
            ],
        ),
        case(
            "given up in the middle",
            PROBE,
            Outcome::Aborted,
            [
                agreed(),
                Client(ack(0)),
                Server(data(1, 1408)),
                Client(ack(1)),
                Server(data(2, 1408)),
                Client(ack(2)),
                Client(error(0)),
            ],
        ),
        case("no such file", PROBE, Outcome::NotFound, [Server(error(1))]),
        case("not allowed", PROBE, Outcome::Denied, [Server(error(2))]),
        case(
            "no more room",
            PROBE,
            Outcome::ServerError,
            [Server(error(3))],
        ),
        case(
            "the server cannot read on",
            PROBE,
            Outcome::ServerError,
            [agreed(), Client(ack(0)), Server(error(0))],
        ),
        case(
            "an ERROR is answered with one",
            PROBE,
            Outcome::SizeProbe,
            [agreed(), Client(error(0)), Server(error(1))],
        ),
        case(
            "the last acknowledgement is lost",
            "",
            Outcome::CompleteUnacked,
            [
                Server(data(1, 512)),
                Client(ack(1)),
                Server(data(2, 3)),
                Server(data(2, 3)),
            ],
        ),
        case(
            "the last block is lost",
            "",
            Outcome::Timeout,
            [
                Server(data(1, 512)),
                Client(ack(1)),
                Server(data(2, 3)),
                Client(ack(1)),
                Server(data(2, 3)),
            ],
        ),
        case(
            "the client is gone",
            "",
            Outcome::Timeout,
            [Server(data(1, 512)), Server(data(1, 512))],
        ),
        case("nobody answers", PROBE, Outcome::Unanswered, []),
    ]
}

#[test]
fn an_outcome_is_what_was_said() {
    for case in cases() {
        let mut host = Host::new();
        host.asks(&request(RRQ, "pxelinux.0", case.options));
        for said in &case.said {
            match said {
                Client(payload) => host.says(payload),
                Server(payload) => host.answers(payload),
            }
        }
        host.look();
        host.wait(59);
        host.wait(2);
        assert_eq!(host.outcomes(), [case.outcome], "{}", case.name);
        assert_eq!(host.transfers.live().in_flight.iter().sum::<u64>(), 0);
    }
}

/// The same of whoever was told of nothing but the request.
#[test]
fn entries_say_what_lost_events_would_have() {
    for case in cases() {
        let mut host = Host::new();
        host.asks(&request(RRQ, "pxelinux.0", case.options));
        let transfers =
            std::mem::replace(&mut host.transfers, Transfers::new(Arc::clone(&DRAGONFLY)));
        for said in &case.said {
            match said {
                Client(payload) => host.says(payload),
                Server(payload) => host.answers(payload),
            }
        }
        host.transfers = transfers;
        host.wait(0);
        host.wait(61);
        assert_eq!(host.outcomes(), [case.outcome], "{}", case.name);
    }
}

#[test]
fn names_are_classified_and_operations_told() {
    let mut host = Host::new();
    host.asks(&request(RRQ, "pxelinux.cfg/default", ""));
    host.asks(&request(WRQ, "core.dump", ""));
    host.asks(b"\0\x01no end");
    let asked: Vec<_> = host
        .facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Begun { asked } => Some(*asked),
            _ => None,
        })
        .collect();
    let names = asked.iter().map(|asked| {
        let endpoint = DRAGONFLY.endpoint_name(asked.class.endpoint);
        (endpoint.to_owned(), asked.operation)
    });
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            ("pxelinux_config".to_owned(), Operation::Read),
            ("infra".to_owned(), Operation::Write),
            ("other".to_owned(), Operation::Read),
        ]
    );
    assert_eq!(
        host.outcomes(),
        [Outcome::Unanswered, Outcome::Unanswered, Outcome::Malformed]
    );
}

#[test]
fn a_repeated_request_does_not_restart_the_clock() {
    let mut host = Host::new();
    host.asks(&request(RRQ, "a", ""));
    host.wait(40);
    host.asks(&request(RRQ, "a", ""));
    host.wait(40);
    assert_eq!(host.outcomes(), []);
    assert_eq!(host.transfers.live().waiting.iter().sum::<u64>(), 1);
    host.answers(&data(1, 3));
    let waits = host.facts.iter().filter_map(|fact| match fact {
        Fact::Answered { wait_ns, .. } => Some(wait_ns / SECOND),
        _ => None,
    });
    assert_eq!(waits.collect::<Vec<_>>(), [80]);
}

#[test]
fn an_answer_to_what_was_given_up_is_late_once() {
    let mut host = Host::new();
    host.asks(&request(RRQ, "a", ""));
    host.wait(UNANSWERED_NS / SECOND);
    for block in 1..=3 {
        host.answers(&data(block, 512));
        host.says(&ack(block));
    }
    host.look();
    assert_eq!(host.outcomes(), [Outcome::Unanswered]);
    let late = host
        .facts
        .iter()
        .filter(|fact| **fact == Fact::AnsweredLate);
    assert_eq!(late.count(), 1);
}

/// FreeBSD's loader asks for the next file from the same port.
#[test]
fn the_next_request_ends_what_is_under_way() {
    for (said, outcome) in [
        (vec![], Outcome::Unanswered),
        (vec![Server(data(1, 512))], Outcome::Aborted),
        (vec![Server(data(1, 3))], Outcome::CompleteUnacked),
        (vec![Server(data(1, 3)), Client(ack(1))], Outcome::Complete),
    ] {
        let mut host = Host::new();
        host.asks(&request(RRQ, "a", ""));
        for said in &said {
            match said {
                Client(payload) => host.says(payload),
                Server(payload) => host.answers(payload),
            }
        }
        host.asks(&request(RRQ, "b", ""));
        assert_eq!(host.outcomes(), [outcome]);
        assert_eq!(host.transfers.live().in_flight.iter().sum::<u64>(), 1);
    }
}

#[test]
fn bytes_move_while_a_transfer_lives() {
    let mut host = Host::new();
    host.asks(&request(RRQ, "a", "blksize=1024"));
    host.answers(&oack("blksize=1024"));
    host.says(&ack(0));
    host.answers(&data(1, 1024));
    host.says(&ack(1));
    host.answers(&data(2, 1024));
    host.answers(&data(2, 1024));
    host.look();
    assert_eq!(host.moved(), (2048, 0, 1));
    host.says(&ack(2));
    host.answers(&data(3, 1));
    host.says(&ack(3));
    // What is sent again behind the end counts, too.
    host.answers(&data(3, 1));
    host.wait(1);
    assert_eq!(host.moved(), (2049, 0, 2));
    assert_eq!(host.outcomes(), [Outcome::Complete]);
}

#[test]
fn a_file_is_written() {
    let mut host = Host::new();
    host.asks(&request(WRQ, "dump", "blksize=1024"));
    host.answers(&oack("blksize=1024"));
    host.says(&data(1, 1024));
    host.answers(&ack(1));
    host.says(&data(2, 9));
    assert_eq!(host.outcomes(), []);
    host.answers(&ack(2));
    assert_eq!(host.outcomes(), [Outcome::Complete]);
    assert_eq!(host.moved(), (0, 1033, 0));
}

#[test]
fn each_error_is_told_once() {
    let mut host = Host::new();
    host.asks(&request(RRQ, "a", ""));
    host.answers(&oack("blksize=1024"));
    host.says(&error(8));
    host.answers(&error(1));
    host.answers(&error(1));
    host.look();
    let failed = host.facts.iter().filter_map(|fact| match fact {
        Fact::Failed { sender, code } => Some((*sender, *code)),
        _ => None,
    });
    let expected = HashSet::from([(Sender::Client, 8), (Sender::Server, 1)]);
    let told: Vec<_> = failed.collect();
    assert_eq!(told.len(), 2);
    assert_eq!(HashSet::from_iter(told), expected);
}

#[test]
fn what_is_over_is_forgotten() {
    let mut host = Host::new();
    host.asks(&request(RRQ, "a", ""));
    host.wait(60);
    assert_eq!(host.outcomes(), [Outcome::Unanswered]);
    for (seconds, known) in [(0, 1), (129, 1), (1, 0)] {
        host.now_ns += seconds * SECOND;
        host.transfers.sweep(host.now_ns);
        assert_eq!(host.transfers.len(), known, "{seconds}");
    }
}

#[test]
fn what_has_no_entry_any_more_is_dropped() {
    let mut host = Host::new();
    host.asks(&request(RRQ, "a", ""));
    let gone = HashSet::from([host.peer]);
    host.transfers.forget(&gone, host.now_ns, &mut host.facts);
    assert!(matches!(host.facts.last(), Some(Fact::Dropped { .. })));
    assert!(host.transfers.is_empty());
}

/// What becomes of a packet on its way.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    IsLost,
    ComesTwice,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        6 => Just(Fate::Arrives),
        2 => Just(Fate::IsLost),
        1 => Just(Fate::ComesTwice),
    ];
    prop::collection::vec(fate, 1..64)
}

/// A server that sends each block until it is acknowledged, and a client that acknowledges what
/// it gets; both beside the host that observes. Returns the blocks that were sent more than once.
fn play(host: &mut Host, size: usize, block_size: usize, fates: &[Fate]) -> u64 {
    let mut fates = fates.iter().copied().cycle();
    // Whatever is lost, something arrives in the end.
    let mut patience = 200;
    let mut fate = move || {
        patience -= 1;
        if patience > 0 {
            fates.next().unwrap_or(Fate::Arrives)
        } else {
            Fate::Arrives
        }
    };
    host.asks(&request(RRQ, "a", &format!("blksize={block_size}")));
    host.answers(&oack(&format!("blksize={block_size}")));
    host.says(&ack(0));
    let blocks = size / block_size + 1;
    let (mut sent, mut again) = (0, 0);
    for block in 1..=blocks {
        let number = u16::try_from(block & 0xffff).expect("masked");
        let len = block_size.min(size - (block - 1) * block_size);
        let mut is_acknowledged = false;
        while !is_acknowledged {
            host.answers(&data(number, len));
            again += u64::from(sent >= block);
            sent = sent.max(block);
            if matches!(fate(), Fate::IsLost) {
                continue;
            }
            // A lost acknowledgement is not seen here.
            match fate() {
                Fate::IsLost => {}
                Fate::Arrives => {
                    host.says(&ack(number));
                    is_acknowledged = true;
                }
                Fate::ComesTwice => {
                    host.says(&ack(number));
                    host.says(&ack(number));
                    is_acknowledged = true;
                }
            }
        }
        if block % 7 == 0 {
            host.look();
        }
    }
    again
}

proptest! {
    #[test]
    fn whatever_is_lost_or_doubled_the_file_is_counted_once(
        size in 0usize..4_000,
        block_size in 64usize..2_000,
        fates in fates(),
    ) {
        let mut host = Host::new();
        let again = play(&mut host, size, block_size, &fates);
        host.look();
        prop_assert_eq!(host.outcomes(), [Outcome::Complete]);
        prop_assert_eq!(host.moved(), (size as u64, 0, again));
    }

    /// Nothing that two strangers say makes it panic, or end a request twice.
    #[test]
    fn each_request_ends_once(
        said in prop::collection::vec((any::<bool>(), 0u16..4, 0u16..8, 0u16..5, 0usize..600), 0..80),
    ) {
        let mut host = Host::new();
        for (is_client, port, opcode, number, len) in said {
            let payload = match opcode {
                RRQ | WRQ => request(opcode, &format!("file{number}"), ""),
                _ => [&opcode.to_be_bytes(), &number.to_be_bytes(), &*vec![7; len]].concat(),
            };
            let from = if is_client { Hook::Ingress } else { Hook::Egress };
            host.take(from, if port == 0 { 69 } else { TID + port }, &payload);
            if len % 5 == 0 {
                host.wait(u64::from(number) * 9);
            }
        }
        let begun = host.facts.iter().filter(|fact| matches!(fact, Fact::Begun { .. })).count();
        host.wait(200);
        let lives: u64 = host.transfers.live().in_flight.iter().sum();
        prop_assert_eq!((host.outcomes().len(), lives), (begun, 0));
    }
}
