//! Load whose every request is answered: what was asked is what the server logs.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{latency::Latencies, netns::Netns};

/// A server that says nothing for so long is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of a load.
pub struct Served {
    /// Answers a second.
    pub rate: f64,
    /// How long each took.
    pub latencies: Latencies,
}

/// Does the same on so many threads inside a namespace; each is told its number.
pub fn serve(
    netns: &Netns,
    threads: usize,
    one: impl Fn(usize) -> Result<Latencies> + Sync,
) -> Result<Served> {
    let (begun, one) = (Instant::now(), &one);
    let latencies = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || netns.inside(|| one(number))?))
            .collect();
        let mut all = Latencies::new()?;
        for thread in threads {
            let latencies = thread
                .join()
                .map_err(|panic| std::panic::resume_unwind(panic))?;
            all.add(&latencies?)?;
        }
        anyhow::Ok(all)
    })?;
    Ok(Served {
        rate: latencies.answers() as f64 / begun.elapsed().as_secs_f64(),
        latencies,
    })
}

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

    /// Runs it inside a namespace; every answer was 200. A request waits for those before it on
    /// its thread: what a latency tells is how long all of them take.
    pub fn run(self, netns: &Netns) -> Result<Served> {
        serve(netns, self.threads, |_| self.one_thread())
    }

    fn one_thread(self) -> Result<Latencies> {
        let request = request(self.path);
        let mut streams = (0..self.connections)
            .map(|_| connect(self.server))
            .collect::<Result<Vec<_>>>()?;
        let mut answer = Vec::new();
        let mut asked = vec![Instant::now(); self.connections];
        let mut latencies = Latencies::new()?;
        for round in 0..self.rounds {
            // All at once, so that the server has something to do.
            for (stream, asked) in streams.iter_mut().zip(&mut asked) {
                *asked = Instant::now();
                stream.write_all(request.as_bytes()).context("ask")?;
            }
            for (stream, asked) in streams.iter_mut().zip(&asked) {
                if answer.is_empty() {
                    answer = whole_answer(stream)?;
                } else {
                    stream.read_exact(&mut answer).context("read an answer")?;
                }
                latencies.record(asked.elapsed());
                ensure!(
                    answer.starts_with(b"HTTP/1.1 200 "),
                    "round {round}: {}",
                    String::from_utf8_lossy(&answer)
                );
            }
        }
        Ok(latencies)
    }
}

/// Of a connection that is kept.
pub(crate) fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// A connection on which each write is a segment, and no read waits for ever.
pub(crate) fn connect(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(server).with_context(|| format!("connect to {server}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The first answer says how long all are: they differ in no length.
pub(crate) fn whole_answer(stream: &mut TcpStream) -> Result<Vec<u8>> {
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
