//! Load whose every request is answered: what was asked is what the server logs.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::netns::Netns;

/// A server that says nothing for so long is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keep-alive connections that ask for the same file again and again.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Where to ask.
    pub server: SocketAddr,
    /// For what.
    pub path: &'a str,
    /// Each has its share of the connections.
    pub threads: usize,
    /// Of one thread, all open at once.
    pub connections: usize,
    /// Requests of one connection, one after the other.
    pub rounds: usize,
}

impl Load<'_> {
    /// How many requests it is.
    pub fn requests(&self) -> usize {
        self.threads * self.connections * self.rounds
    }

    /// Runs it inside a namespace; every answer was 200. Says how many requests a second.
    pub fn run(self, netns: &Netns) -> Result<f64> {
        let begun = Instant::now();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|_| scope.spawn(move || netns.inside(|| self.one_thread())?))
                .collect();
            for thread in threads {
                thread
                    .join()
                    .map_err(|panic| std::panic::resume_unwind(panic))??;
            }
            anyhow::Ok(())
        })?;
        Ok(self.requests() as f64 / begun.elapsed().as_secs_f64())
    }

    fn one_thread(self) -> Result<()> {
        let request = format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", self.path);
        let mut streams = (0..self.connections)
            .map(|_| connect(self.server))
            .collect::<Result<Vec<_>>>()?;
        let mut answer = Vec::new();
        for round in 0..self.rounds {
            // All at once, so that the server has something to do.
            for stream in &mut streams {
                stream.write_all(request.as_bytes()).context("ask")?;
            }
            for stream in &mut streams {
                if answer.is_empty() {
                    answer = whole_answer(stream)?;
                } else {
                    stream.read_exact(&mut answer).context("read an answer")?;
                }
                ensure!(
                    answer.starts_with(b"HTTP/1.1 200 "),
                    "round {round}: {}",
                    String::from_utf8_lossy(&answer)
                );
            }
        }
        Ok(())
    }
}

fn connect(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(server).with_context(|| format!("connect to {server}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The first answer says how long all are: they differ in no length.
fn whole_answer(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).context("read a head")?;
        answer.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&answer);
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .context("an answer says its length")?;
    let head_length = answer.len();
    let body_length: usize = length.parse().context("a length")?;
    answer.resize(head_length + body_length, 0);
    stream
        .read_exact(&mut answer[head_length..])
        .context("read a body")?;
    Ok(answer)
}
