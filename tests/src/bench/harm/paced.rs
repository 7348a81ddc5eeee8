//! Requests at times that are set before, whether or not the server keeps up.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    num::NonZeroU64,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustix::thread::set_current_timer_slack;

use crate::{
    latency::Latencies,
    load::{self, Served},
    netns::Netns,
};

/// From here on all connections are there.
const LEAD: Duration = Duration::from_millis(50);

/// Keep-alive connections, a thread each, that ask in turn.
#[derive(Clone, Copy)]
pub(super) struct Paced<'a> {
    pub(super) server: SocketAddr,
    pub(super) path: &'a str,
    pub(super) connections: u32,
    /// Of one connection.
    pub(super) requests: u32,
    /// Between two requests, of whatever connection.
    pub(super) interval: Duration,
}

impl Paced<'_> {
    /// Runs it inside a namespace. A latency is from when a request was to be sent: what waits
    /// because an answer before it was late is late as well.
    pub(super) fn run(self, netns: &Netns) -> Result<Served> {
        let begin = Instant::now() + LEAD;
        load::serve(netns, self.connections as usize, |number| {
            let first = begin + self.interval * u32::try_from(number)?;
            self.one_connection(first)
        })
    }

    fn one_connection(self, first: Instant) -> Result<Latencies> {
        // Timers would be as late as 50 us else.
        set_current_timer_slack(NonZeroU64::new(1)).context("ask for exact timers")?;
        let mut stream = load::connect(self.server)?;
        let request = load::request(self.path);
        stream.write_all(request.as_bytes())?;
        let mut answer = load::whole_answer(&mut stream)?;
        let mut latencies = Latencies::new()?;
        for number in 0..self.requests {
            let due = first + self.interval * self.connections * number;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            exchange(&mut stream, &request, &mut answer)?;
            latencies.record(due.elapsed());
        }
        Ok(latencies)
    }
}

fn exchange(stream: &mut TcpStream, request: &str, answer: &mut [u8]) -> Result<()> {
    stream.write_all(request.as_bytes()).context("ask")?;
    stream.read_exact(answer).context("read an answer")?;
    let is_good = answer.starts_with(b"HTTP/1.1 200 ");
    ensure!(is_good, "{}", String::from_utf8_lossy(answer));
    Ok(())
}
