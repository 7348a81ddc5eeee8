//! One transfer by TFTP, as firmware does it: each block acknowledged, the last word repeated
//! when nothing comes.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use tokio::{
    net::UdpSocket,
    time::{sleep, timeout},
};

use super::{Answered, Crowd, Step};
use crate::tftp::scripted::{ack, error, rrq};

const BLOCK: usize = 1_400;
/// The largest datagram that the server sends.
const ROOM: usize = 2_048;
/// As UEFI does.
const REQUEST_AGAIN: Duration = Duration::from_secs(4);
const ACK_AGAIN: Duration = Duration::from_secs(1);
/// A server that says nothing in so many repetitions has forgotten the transfer.
const ACKS: usize = 8;
/// RFC 1350: of packets that are for another.
const UNKNOWN_TRANSFER: u16 = 5;
/// RFC 2347.
const REFUSED: u16 = 8;

/// Fetches the boot loader.
pub(super) async fn fetch(crowd: &Crowd) -> io::Result<Answered> {
    let name = Step::Nbp.path().trim_start_matches('/').as_bytes();
    let size = BLOCK.to_string();
    let request = rrq(name, "octet", &[("tsize", "0"), ("blksize", &size)]);
    let asked = Instant::now();
    let (mut transfer, mut packet) = Transfer::begin(crowd.tftp, &request).await?;
    let first = Instant::now();
    let port = transfer.socket.local_addr()?.port();
    loop {
        let (answer, is_last) = reply(&packet)?;
        let pause = crowd.weather.borrow().tftp_pause;
        if !pause.is_zero() {
            sleep(pause).await;
        }
        transfer.send(&answer).await?;
        if is_last {
            return Ok(Answered { port, asked, first });
        }
        packet = transfer.next(&answer).await?;
    }
}

/// Asks until somebody answers, whatever it is.
pub(super) async fn ask(server: SocketAddr, request: &[u8]) -> io::Result<()> {
    Transfer::begin(server, request).await.map(drop)
}

/// A socket of its own, and the server's end.
struct Transfer {
    socket: UdpSocket,
    server: SocketAddr,
    /// The block that was received last.
    block: u16,
}

impl Transfer {
    /// Asks until the first packet comes, and returns it.
    async fn begin(server: SocketAddr, request: &[u8]) -> io::Result<(Self, Vec<u8>)> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        let mut packet = vec![0; ROOM];
        loop {
            socket.send_to(request, server).await?;
            let received = timeout(REQUEST_AGAIN, socket.recv_from(&mut packet));
            if let Ok(received) = received.await {
                let (len, server) = received?;
                packet.truncate(len);
                let block = number_of(&packet);
                let transfer = Self {
                    socket,
                    server,
                    block,
                };
                return Ok((transfer, packet));
            }
        }
    }

    async fn send(&self, packet: &[u8]) -> io::Result<()> {
        self.socket.send_to(packet, self.server).await.map(drop)
    }

    /// The next block, which is not the last one again; `answer` is repeated until it comes.
    async fn next(&mut self, answer: &[u8]) -> io::Result<Vec<u8>> {
        let mut packet = vec![0; ROOM];
        for _ in 0..ACKS {
            let wait = timeout(ACK_AGAIN, self.next_of(&mut packet)).await;
            if let Ok(len) = wait {
                packet.truncate(len?);
                return Ok(packet);
            }
            self.send(answer).await?;
        }
        // As UEFI says it: nobody waits for this transfer any more.
        self.send(&error(REFUSED, "User aborted the transfer in time out"))
            .await?;
        Err(ErrorKind::TimedOut.into())
    }

    async fn next_of(&mut self, packet: &mut [u8]) -> io::Result<usize> {
        loop {
            let (len, from) = self.socket.recv_from(packet).await?;
            let expected = self.block.wrapping_add(1);
            if from != self.server {
                // Else a request that was repeated has a transfer of its own until the server
                // gives it up.
                let unknown = error(UNKNOWN_TRANSFER, "");
                self.socket.send_to(&unknown, from).await?;
            } else if number_of(packet) == expected {
                self.block = expected;
                return Ok(len);
            }
        }
    }
}

/// What is said to a packet, and whether it was the last.
fn reply(packet: &[u8]) -> io::Result<(Vec<u8>, bool)> {
    match packet {
        [0, 6, ..] => Ok((ack(0), false)),
        [0, 3, _, _, data @ ..] => Ok((ack(number_of(packet)), data.len() < BLOCK)),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// Of a block; of what has none, as OACK, 0.
fn number_of(packet: &[u8]) -> u16 {
    match packet {
        [0, 3, high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tftp::scripted::{data, oack};

    #[test]
    fn each_packet_has_its_reply() {
        let of = |packet: Vec<u8>| reply(&packet).expect("a reply");
        assert_eq!(of(oack(&[("blksize", "1400")])), (ack(0), false));
        assert_eq!(of(data(1, BLOCK)), (ack(1), false));
        assert_eq!(of(data(0x0203, 0)), (ack(0x0203), true));
        reply(&error(1, "no")).expect_err("an error");
    }
}
