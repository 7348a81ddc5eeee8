//! The rules, one conversation each.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::*;
use crate::tftp::conversation::sort;

const STEP: Duration = Duration::from_millis(1);
const PORT: u16 = 69;

/// Who sends to whom.
#[derive(Clone, Copy)]
enum Way {
    /// To the port for requests.
    Ask,
    /// To and from the transfer's own port.
    Up,
    Down,
    /// To and from a second server end.
    UpTwo,
    DownTwo,
    /// From the port for requests.
    Answer,
}
use Way::{Answer, Ask, Down, DownTwo, Up, UpTwo};

impl Way {
    fn ends(self) -> (SocketAddr, SocketAddr) {
        let end = |host, port| SocketAddr::from((Ipv4Addr::new(10, 0, 0, host), port));
        let (client, server, second) = (end(2, 2070), end(1, 40_001), end(1, 40_002));
        match self {
            Ask => (client, end(1, PORT)),
            Up => (client, server),
            Down => (server, client),
            UpTwo => (client, second),
            DownTwo => (second, client),
            Answer => (end(1, PORT), client),
        }
    }
}

type Script<'a> = &'a [(Way, Vec<u8>)];

fn rrq(name: &str) -> (Way, Vec<u8>) {
    (
        Ask,
        format!("\0\x01{name}\0octet\0tsize\x000\0").into_bytes(),
    )
}

fn wrq(name: &str) -> (Way, Vec<u8>) {
    (Ask, format!("\0\x02{name}\0octet\0").into_bytes())
}

fn oack() -> Vec<u8> {
    b"\0\x06blksize\x0010\0windowsize\x002\0".to_vec()
}

fn numbered(opcode: u8, number: u16, len: usize) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let mut bytes = vec![0, opcode, high, low];
    bytes.resize(4 + len, b'x');
    bytes
}

fn data(block: u16, len: usize) -> Vec<u8> {
    numbered(3, block, len)
}

fn ack(block: u16) -> Vec<u8> {
    numbered(4, block, 0)
}

fn error(code: u16) -> Vec<u8> {
    numbered(5, code, 1)
}

fn play(script: Script<'_>) -> Vec<Transfer> {
    let packet = |(number, (way, bytes)): (u32, &(Way, Vec<u8>))| {
        let (from, to) = way.ends();
        let message = Message::read(bytes, bytes.len() as u64, to.port() == PORT);
        Packet {
            time: STEP * number,
            from,
            to,
            message: message.expect("whole").expect("TFTP"),
        }
    };
    let packets = (0..).zip(script).map(packet).collect();
    sort(packets).iter().map(replay).collect()
}

fn check(rule: &str, script: Script<'_>, expected: &[(Outcome, u64, u64)]) {
    let found: Vec<_> = play(script)
        .iter()
        .map(|transfer| (transfer.outcome, transfer.bytes, transfer.retransmits))
        .collect();
    assert_eq!(found, expected, "{rule}");
}

#[test]
fn a_file_is_complete_when_its_short_block_is_acknowledged() {
    check(
        "without options",
        &[
            rrq("a"),
            (Down, data(1, 512)),
            (Up, ack(1)),
            (Down, data(2, 0)),
            (Up, ack(2)),
        ],
        &[(Outcome::Complete, 512, 0)],
    );
    check(
        "a window, whose second block is lost",
        &[
            rrq("a"),
            (Down, oack()),
            (Up, ack(0)),
            (Down, data(1, 10)),
            (Down, data(2, 10)),
            (Up, ack(1)),
            (Down, data(2, 10)),
            (Down, data(3, 9)),
            (Up, ack(3)),
        ],
        &[(Outcome::Complete, 29, 1)],
    );
    check(
        "what is sent again behind the end counts",
        &[
            rrq("a"),
            (Down, data(1, 5)),
            (Up, ack(1)),
            (Down, data(1, 5)),
            (Up, ack(1)),
        ],
        &[(Outcome::Complete, 5, 1)],
    );
}

#[test]
fn a_last_acknowledgement_may_be_lost() {
    check(
        "silence",
        &[
            rrq("a"),
            (Down, data(1, 512)),
            (Up, ack(1)),
            (Down, data(2, 1)),
            (Down, data(2, 1)),
        ],
        &[(Outcome::CompleteUnacked, 513, 1)],
    );
    check(
        "the client lacks the last block, too",
        &[
            rrq("a"),
            (Down, data(1, 512)),
            (Up, ack(1)),
            (Down, data(2, 1)),
            (Up, ack(1)),
        ],
        &[(Outcome::Timeout, 513, 0)],
    );
    check(
        "it has not even its first",
        &[rrq("a"), (Down, data(1, 1)), rrq("a")],
        &[(Outcome::Timeout, 1, 0)],
    );
    check(
        "more is missing",
        &[rrq("a"), (Down, data(1, 512))],
        &[(Outcome::Timeout, 512, 0)],
    );
}

#[test]
fn probes_are_no_failures() {
    check(
        "EDK2",
        &[rrq("a"), (Down, oack()), (Up, error(8)), (Down, error(8))],
        &[(Outcome::SizeProbe, 0, 0)],
    );
    check(
        "PXELINUX behind iPXE",
        &[
            rrq("a"),
            (Down, oack()),
            (Up, ack(0)),
            (Down, data(1, 10)),
            (Up, ack(1)),
            (Up, error(0)),
        ],
        &[(Outcome::SizeProbe, 10, 0)],
    );
    check(
        "EDK2, and a server without options",
        &[rrq("a"), (Down, data(1, 512)), (Up, error(4))],
        &[(Outcome::SizeProbe, 512, 0)],
    );
    check(
        "EDK2 with too small a buffer",
        &[rrq("a"), (Down, data(1, 511)), (Up, error(3))],
        &[(Outcome::Aborted, 511, 0)],
    );
    check(
        "a person",
        &[
            rrq("a"),
            (Down, data(1, 512)),
            (Up, ack(1)),
            (Down, data(2, 512)),
            (Up, ack(2)),
            (Up, error(0)),
        ],
        &[(Outcome::Aborted, 1024, 0)],
    );
}

#[test]
fn servers_errors_are_told_by_when_they_come() {
    let answered = |code| vec![rrq("a"), (Down, error(code))];
    check("not found", &answered(1), &[(Outcome::NotFound, 0, 0)]);
    check("denied", &answered(2), &[(Outcome::Denied, 0, 0)]);
    check("else", &answered(4), &[(Outcome::ServerError, 0, 0)]);
    check(
        "later",
        &[rrq("a"), (Down, oack()), (Down, error(1))],
        &[(Outcome::ServerError, 0, 0)],
    );
}

#[test]
fn a_repeated_request_is_the_same_until_data_or_an_error_came() {
    check(
        "silence",
        &[rrq("a"), rrq("a")],
        &[(Outcome::Unanswered, 0, 0)],
    );
    check(
        "the OACK comes twice",
        &[
            rrq("a"),
            (Down, oack()),
            rrq("a"),
            (Down, oack()),
            (Up, error(8)),
        ],
        &[(Outcome::SizeProbe, 0, 1)],
    );
    check(
        "the file is asked for again",
        &[
            rrq("a"),
            (Down, data(1, 1)),
            (Up, ack(1)),
            rrq("a"),
            (DownTwo, error(1)),
        ],
        &[(Outcome::Complete, 1, 0), (Outcome::NotFound, 0, 0)],
    );
    check(
        "another file",
        &[
            rrq("a"),
            (Down, data(1, 512)),
            rrq("b"),
            (DownTwo, data(1, 1)),
            (UpTwo, ack(1)),
        ],
        &[(Outcome::Aborted, 512, 0), (Outcome::Complete, 1, 0)],
    );
    check(
        "another file, and nothing was missing but the last acknowledgement",
        &[rrq("a"), (Down, data(1, 1)), rrq("b"), (Down, data(1, 1))],
        &[
            (Outcome::CompleteUnacked, 1, 0),
            (Outcome::Unanswered, 0, 0),
        ],
    );
    check(
        "another file from a server with a single port",
        &[
            rrq("a"),
            (Answer, error(1)),
            rrq("b"),
            (Answer, data(1, 1)),
            (Ask, ack(1)),
        ],
        &[(Outcome::NotFound, 0, 0), (Outcome::Complete, 1, 0)],
    );
    assert_eq!(
        play(&[rrq("a"), rrq("a"), rrq("a")])[0].repeated_requests,
        2
    );
}

#[test]
fn of_two_server_ends_the_one_that_the_client_speaks_to_counts() {
    check(
        "the second",
        &[
            rrq("a"),
            rrq("a"),
            (Down, oack()),
            (DownTwo, oack()),
            (Up, error(5)),
            (UpTwo, ack(0)),
            (Down, oack()),
            (DownTwo, data(1, 1)),
            (UpTwo, ack(1)),
        ],
        &[(Outcome::Complete, 1, 0)],
    );
}

#[test]
fn a_file_is_written() {
    check(
        "its last acknowledgement is ours",
        &[
            wrq("a"),
            (Down, ack(0)),
            (Up, data(1, 512)),
            (Down, ack(1)),
            (Up, data(1, 512)),
            (Down, ack(1)),
            (Up, data(2, 3)),
            (Down, ack(2)),
        ],
        &[(Outcome::Complete, 515, 1)],
    );
    check(
        "it never came",
        &[wrq("a"), (Down, ack(0)), (Up, data(1, 3))],
        &[(Outcome::Timeout, 3, 0)],
    );
    check(
        "there is no such thing as a probe",
        &[wrq("a"), (Down, ack(0)), (Up, error(0))],
        &[(Outcome::Aborted, 0, 0)],
    );
}

#[test]
fn numbers_go_round() {
    for first in [0, 1] {
        let mut script = vec![rrq("a")];
        for block in 1..=u16::MAX {
            script.extend([(Down, data(block, 512)), (Up, ack(block))]);
        }
        script.extend([(Down, data(first, 512)), (Up, ack(first))]);
        script.extend([(Down, data(first, 512)), (Up, ack(first))]);
        script.extend([(Down, data(first + 1, 7)), (Up, ack(first + 1))]);
        let bytes = 512 * 65_536 + 7;
        check("rollover", &script, &[(Outcome::Complete, bytes, 1)]);
    }
}

#[test]
fn a_late_answer_is_none() {
    let ends = Ask.ends();
    let mut packets = Vec::new();
    for (seconds, way, bytes) in [(0, Ask, rrq("a").1), (61, Down, data(1, 1))] {
        let (from, to) = way.ends();
        let message = Message::read(&bytes, bytes.len() as u64, to == ends.1);
        packets.push(Packet {
            time: Duration::from_secs(seconds),
            from,
            to,
            message: message.expect("whole").expect("TFTP"),
        });
    }
    let transfers: Vec<_> = sort(packets).iter().map(replay).collect();
    assert_eq!(transfers[0].outcome, Outcome::Unanswered);
}
