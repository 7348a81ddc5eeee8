//! More connections and transfers than one process may have open files: each is in one of several
//! processes, with both its ends. They act one after the other, so that nothing is concurrent but
//! what is open.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{ChildStdin, ChildStdout, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::ends::Verb;
use crate::{netns::Netns, process::Process};

/// Connections of one process, and as many transfers: 18,000 open files.
const CAPACITY: usize = 6_000;
/// Between two looks of who drains: of all that may be told, this fits in the smallest ring.
const STEP: usize = 400;
/// What a client's port may be; there are fewer by default than transfers.
const PORTS: (&str, &str) = ("/proc/sys/net/ipv4/ip_local_port_range", "2048 65535");

/// Its processes end when it is dropped.
pub(super) struct Crowd {
    members: Vec<Member>,
}

struct Member {
    /// Ended when dropped.
    _process: Process,
    tell: ChildStdin,
    said: BufReader<ChildStdout>,
    http_port: u16,
    tftp_port: u16,
    connections: usize,
    transfers: usize,
}

impl Crowd {
    /// As many processes as so many connections, or transfers, take.
    pub(super) fn start(netns: &Netns, items: usize) -> Result<Self> {
        let (path, ports) = PORTS;
        netns.inside(|| fs::write(path, ports).with_context(|| path.to_owned()))??;
        let members = (0..items.div_ceil(CAPACITY))
            .map(|_| Member::start(netns))
            .collect::<Result<_>>()?;
        Ok(Self { members })
    }

    /// Where its servers take HTTP requests.
    pub(super) fn http_ports(&self) -> Vec<u16> {
        self.members.iter().map(|member| member.http_port).collect()
    }

    /// Where its servers take TFTP requests.
    pub(super) fn tftp_ports(&self) -> Vec<u16> {
        self.members.iter().map(|member| member.tftp_port).collect()
    }

    /// How a daemon is told to watch all of them.
    pub(super) fn arguments(&self) -> Vec<String> {
        let http = self.http_ports().into_iter().map(|port| ("--http", port));
        let tftp = self.tftp_ports().into_iter().map(|port| ("--tftp", port));
        http.chain(tftp)
            .map(|(protocol, port)| format!("{protocol}-port={port}"))
            .collect()
    }

    /// Opens connections until there are so many. Between steps there is time to drain.
    pub(super) fn connect(
        &mut self,
        connections: usize,
        between: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        self.grow(
            Verb::Connect,
            connections,
            |member| &mut member.connections,
            between,
        )
    }

    /// Begins transfers until there are so many.
    pub(super) fn begin(
        &mut self,
        transfers: usize,
        between: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        self.grow(
            Verb::Begin,
            transfers,
            |member| &mut member.transfers,
            between,
        )
    }

    /// Each member does its share until there are so many of what it `holds`.
    fn grow(
        &mut self,
        verb: Verb,
        to: usize,
        holds: fn(&mut Member) -> &mut usize,
        between: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let shares = shares(to, self.members.len())?;
        for (member, share) in self.members.iter_mut().zip(shares) {
            let new = share.saturating_sub(*holds(member));
            member.steps(verb, new, between)?;
            *holds(member) += new;
        }
        Ok(())
    }

    /// Each connection does this so many times.
    pub(super) fn each_connection(
        &mut self,
        verb: Verb,
        times: usize,
        between: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        self.members
            .iter_mut()
            .try_for_each(|member| member.steps(verb, times * member.connections, between))
    }

    /// Each transfer does this so many times.
    pub(super) fn each_transfer(
        &mut self,
        verb: Verb,
        times: usize,
        between: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        self.members
            .iter_mut()
            .try_for_each(|member| member.steps(verb, times * member.transfers, between))
    }

    /// Has no connections any more.
    pub(super) fn close(&mut self) -> Result<()> {
        self.members.iter_mut().try_for_each(|member| {
            member.connections = 0;
            member.act(Verb::Close, 0)
        })
    }

    /// Has no transfers any more.
    pub(super) fn leave(&mut self) -> Result<()> {
        self.members.iter_mut().try_for_each(|member| {
            member.transfers = 0;
            member.act(Verb::Leave, 0)
        })
    }
}

impl Member {
    fn start(netns: &Netns) -> Result<Self> {
        let program = env::current_exe()?;
        let mut command = netns.command(&program.display().to_string());
        command
            .arg("ends")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let tell = process.child().stdin.take().context("its input")?;
        let said = process.child().stdout.take().context("its output")?;
        let mut said = BufReader::new(said);
        let ports = line(&mut said)?;
        let (http, tftp) = ports.split_once(' ').context("two ports")?;
        Ok(Self {
            _process: process,
            tell,
            said,
            http_port: http.parse()?,
            tftp_port: tftp.parse()?,
            connections: 0,
            transfers: 0,
        })
    }

    fn steps(
        &mut self,
        verb: Verb,
        times: usize,
        between: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        for begun in (0..times).step_by(STEP) {
            self.act(verb, STEP.min(times - begun))?;
            between()?;
        }
        Ok(())
    }

    fn act(&mut self, verb: Verb, times: usize) -> Result<()> {
        self.tell.write_all(verb.line(times)?.as_bytes())?;
        let said = line(&mut self.said)?;
        ensure!(said == "done", "{verb:?}: {said}");
        Ok(())
    }
}

fn line(said: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    ensure!(
        said.read_line(&mut line)? != 0,
        "a process of traffic ended"
    );
    Ok(line.trim_end().to_owned())
}

/// Who has how many: a process is full before the next has one.
fn shares(items: usize, members: usize) -> Result<Vec<usize>> {
    ensure!(items <= members * CAPACITY, "{items} do not fit");
    let share = |member| items.saturating_sub(member * CAPACITY).min(CAPACITY);
    Ok((0..members).map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_full_before_the_next_has_one() {
        assert_eq!(shares(1, 2).expect("fits"), [1, 0]);
        assert_eq!(shares(CAPACITY + 7, 2).expect("fits"), [CAPACITY, 7]);
        assert!(shares(2 * CAPACITY + 1, 2).is_err());
    }
}
