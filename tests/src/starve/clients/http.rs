//! One request on a connection of its own.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::sleep,
};

use super::{Answered, Crowd, Step};

/// The kernel makes of it the least that it allows.
const SMALL_WINDOW: u32 = 4_096;
/// Read at once by who reads slowly.
const SIP: usize = 4_096;
const GULP: usize = 1 << 16;
const LONGEST_HEAD: usize = 8_192;
const BODY: &str = "{\"ok\":true}";

/// Asks, and reads the whole answer.
pub(super) async fn fetch(crowd: &Crowd, step: Step) -> io::Result<Answered> {
    let mut answer = Answer {
        stream: connect(crowd.http, speed(crowd, step).is_some()).await?,
        buffer: vec![0; GULP],
        read: 0,
    };
    let port = answer.stream.local_addr()?.port();
    let request = request(step);
    let asked = Instant::now();
    answer.stream.write_all(request.as_bytes()).await?;
    let (first, mut left) = answer.head().await?;
    while left > 0 {
        let wanted = speed(crowd, step).map_or(GULP, |_| SIP).min(left);
        let len = answer.stream.read(&mut answer.buffer[..wanted]).await?;
        if len == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        left -= len;
        if let Some(speed) = speed(crowd, step) {
            sleep(Duration::from_secs_f64(len as f64 / speed as f64)).await;
        }
    }
    Ok(Answered { port, asked, first })
}

/// Bytes a second, where the machine reads slowly.
fn speed(crowd: &Crowd, step: Step) -> Option<u64> {
    let weather = crowd.weather.borrow();
    weather.os_speed.filter(|_| step == Step::Os)
}

async fn connect(server: SocketAddr, has_small_window: bool) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if has_small_window {
        socket.set_recv_buffer_size(SMALL_WINDOW)?;
    }
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn request(step: Step) -> String {
    let (method, path) = (step.method(), step.path());
    let head = format!("{method} {path} HTTP/1.1\r\nHost: boot\r\nConnection: close\r\n");
    if step == Step::Report {
        format!("{head}Content-Length: {}\r\n\r\n{BODY}", BODY.len())
    } else {
        format!("{head}\r\n")
    }
}

struct Answer {
    stream: TcpStream,
    buffer: Vec<u8>,
    read: usize,
}

impl Answer {
    /// Reads up to the blank line or beyond; returns when the first byte came, and how many bytes
    /// of the body are still to come. What is no 200 is an error.
    async fn head(&mut self) -> io::Result<(Instant, usize)> {
        let mut first = None;
        loop {
            let room = &mut self.buffer[self.read..LONGEST_HEAD];
            let len = self.stream.read(room).await?;
            let first = *first.get_or_insert_with(Instant::now);
            self.read += len;
            let text = String::from_utf8_lossy(&self.buffer[..self.read]);
            if let Some((head, _)) = text.split_once("\r\n\r\n") {
                let body = self.read - head.len() - 4;
                return Ok((first, length(head)?.saturating_sub(body)));
            }
            if len == 0 {
                return Err(ErrorKind::InvalidData.into());
            }
        }
    }
}

/// Of the body, as the head of a 200 says.
fn length(head: &str) -> io::Result<usize> {
    let is_200 = head.split(' ').nth(1) == Some("200");
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    let value = value.filter(|_| is_200);
    value
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_200_with_a_length_is_an_answer() {
        let head = "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 12";
        assert_eq!(length(head).expect("a length"), 12);
        for head in [
            "HTTP/1.1 503 Busy\r\nContent-Length: 12",
            "HTTP/1.1 200 OK",
            "nonsense",
        ] {
            length(head).expect_err(head);
        }
    }
}
