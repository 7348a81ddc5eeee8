//! Datagrams that the kernel could send.

use netlink_packet_core::{NLMSG_DONE, NLMSG_ERROR};
use netlink_packet_sock_diag::{SOCK_DIAG_BY_FAMILY, SockDiagMessage};

use super::*;

const OURS: u32 = 7;
/// `struct inet_diag_msg`.
const SOCKET: usize = 72;

fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(HEADER + payload.len()).expect("short");
    let mut message = len.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(payload);
    message.resize(message.len().next_multiple_of(4), 0);
    message
}

/// A socket with so much in its queue.
fn socket(flags: u16, sequence: u32, queue: u32) -> Vec<u8> {
    let mut payload = [0; SOCKET];
    // AF_INET, and where `idiag_rqueue` is.
    payload[0] = 2;
    payload[56..60].copy_from_slice(&queue.to_ne_bytes());
    message(SOCK_DIAG_BY_FAMILY, flags, sequence, &payload)
}

fn read(datagrams: &[Vec<u8>]) -> (Reading, Vec<u32>, io::Result<()>) {
    let (mut reading, mut queues) = (Reading::of(OURS), Vec::new());
    let mut take = |answer| {
        if let SockDiagMessage::InetResponse(response) = answer {
            queues.push(response.header.recv_queue);
        }
    };
    let read = datagrams
        .iter()
        .try_for_each(|datagram| reading.datagram(datagram, &mut take));
    (reading, queues, read)
}

#[test]
fn a_dump_is_over_with_its_last_message() {
    let some = [
        socket(NLM_F_MULTIPART, OURS, 1),
        socket(NLM_F_MULTIPART, OURS, 2),
    ]
    .concat();
    let more = socket(NLM_F_MULTIPART, OURS, 3);
    let (reading, queues, done) = read(&[some.clone(), more.clone()]);
    assert!(done.is_ok() && !reading.is_over);
    assert_eq!(queues, [1, 2, 3]);
    let end = message(NLMSG_DONE, NLM_F_MULTIPART, OURS, &[0; 4]);
    let (reading, queues, done) = read(&[some, more, end]);
    assert!(done.is_ok() && reading.is_over && !reading.interrupted);
    assert_eq!(queues.len(), 3);
}

#[test]
fn one_answer_is_all_of_it() {
    let (reading, queues, done) = read(&[socket(0, OURS, 5)]);
    assert!(done.is_ok() && reading.is_over);
    assert_eq!(queues, [5]);
}

#[test]
fn answers_to_what_was_given_up_are_passed_over() {
    let (reading, queues, done) = read(&[
        socket(0, OURS - 1, 1),
        message(NLMSG_ERROR, 0, OURS - 1, &(-2_i32).to_ne_bytes()),
        message(NLMSG_DONE, NLM_F_MULTIPART, OURS - 1, &[0; 4]),
    ]);
    assert!(done.is_ok() && !reading.is_over && queues.is_empty());
}

#[test]
fn an_error_has_its_number() {
    for kind in [NLMSG_ERROR, NLMSG_DONE] {
        let (_, _, done) = read(&[message(kind, 0, OURS, &(-13_i32).to_ne_bytes())]);
        assert_eq!(
            done.expect_err("refused").raw_os_error(),
            Some(13),
            "{kind}"
        );
    }
    // An acknowledgement.
    let (reading, _, done) = read(&[message(NLMSG_ERROR, 0, OURS, &[0; 4])]);
    assert!(done.is_ok() && reading.is_over);
}

#[test]
fn a_list_that_changed_meanwhile_is_told_of() {
    let (reading, ..) = read(&[socket(NLM_F_MULTIPART | NLM_F_DUMP_INTR, OURS, 1)]);
    assert!(reading.interrupted && !reading.is_over);
}

#[test]
fn nonsense_is_an_error() {
    let whole = socket(0, OURS, 1);
    for datagram in [
        vec![0; 8],
        vec![0; 16],
        whole[..40].to_vec(),
        message(SOCK_DIAG_BY_FAMILY, 0, OURS, &[2]),
        message(99, 0, OURS, &[0; SOCKET]),
    ] {
        let (_, _, done) = read(std::slice::from_ref(&datagram));
        let error = done.expect_err("nonsense");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{datagram:?}");
    }
}
