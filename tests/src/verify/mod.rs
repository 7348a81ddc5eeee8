//! The observer's rules beside tshark: the same capture, read twice.
//!
//! Here its packets go through the programs, compiled for the host, and what these tell through
//! the trackers; [`crate::tftp`] and [`crate::http`] are the truth.

mod capture;
mod host;
mod http;
mod tftp;

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::Path};

use anyhow::{Context as _, Result};

/// Where requests arrive.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Over TCP.
    pub http: Vec<u16>,
    /// Over UDP.
    pub tftp: Vec<u16>,
}

/// How one protocol's exchanges are told by both.
#[derive(Debug)]
pub struct Comparison {
    /// What is compared.
    pub protocol: &'static str,
    /// How many there are.
    pub compared: usize,
    /// Those that are not told the same, in words.
    pub differences: Vec<String>,
}

/// What was told of one transfer or exchange.
trait Told: fmt::Display + PartialEq {
    /// Whose it is: what one client does is in order.
    fn client(&self) -> SocketAddr;
}

/// The records of the event ring that the programs make of a capture, of which they see the
/// server's side.
pub fn records(path: &Path, ports: &Ports) -> Result<Vec<Vec<u8>>> {
    let (mut host, mut records) = (host::Host::new(&ports.http, &ports.tftp), Vec::new());
    capture::read(path, |packet| {
        host.take(packet);
        records.extend(host.kernel.events());
    })
    .with_context(|| format!("read {}", path.display()))?;
    Ok(records)
}

/// Compares all that a capture has.
pub fn verify(capture: &Path, ports: &Ports) -> Result<Vec<Comparison>> {
    let (truth, ours) = (tftp::truth(capture, ports)?, tftp::ours(capture, ports)?);
    let tftp = compare("TFTP transfers", truth, ours);
    let (truth, ours) = (http::truth(capture, ports)?, http::ours(capture, ports)?);
    let http = compare("HTTP requests", truth, ours);
    Ok(vec![tftp, http])
}

fn compare<T: Told>(protocol: &'static str, truth: Vec<T>, ours: Vec<T>) -> Comparison {
    let mut clients = BTreeMap::<SocketAddr, (Vec<T>, Vec<T>)>::new();
    for told in truth {
        clients.entry(told.client()).or_default().0.push(told);
    }
    for told in ours {
        clients.entry(told.client()).or_default().1.push(told);
    }
    let mut comparison = Comparison {
        protocol,
        compared: 0,
        differences: Vec::new(),
    };
    for (truth, ours) in clients.values() {
        let all = truth.len().max(ours.len());
        comparison.compared += all;
        let pairs = (0..all).map(|at| (truth.get(at), ours.get(at)));
        let differ = pairs.filter(|(truth, ours)| truth != ours);
        comparison
            .differences
            .extend(differ.map(|(truth, ours)| difference(truth, ours)));
    }
    comparison
}

fn difference<T: Told>(truth: Option<&T>, ours: Option<&T>) -> String {
    let say = |told: Option<&T>| told.map_or("nothing".to_owned(), T::to_string);
    format!("tshark: {}; we: {}", say(truth), say(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(PartialEq)]
    struct Said(u16, &'static str);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.1)
        }
    }

    impl Told for Said {
        fn client(&self) -> SocketAddr {
            SocketAddr::from(([10, 0, 0, 1], self.0))
        }
    }

    #[test]
    fn what_only_one_tells_is_a_difference_and_shifts_nothing_of_others() {
        let truth = vec![Said(1, "a"), Said(2, "b"), Said(2, "c")];
        let ours = vec![Said(2, "b"), Said(2, "x"), Said(3, "d")];
        let comparison = compare("things", truth, ours);
        assert_eq!(comparison.compared, 4);
        assert_eq!(
            comparison.differences,
            [
                "tshark: a; we: nothing",
                "tshark: c; we: x",
                "tshark: nothing; we: d"
            ]
        );
    }
}
