//! What was seen in one second: what the observer said, and by what it could know.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use anyhow::Result;
use serde_json::{Value, json};

use super::{phase::Phase, world::World};
use crate::{
    client, process,
    scrape::{Labels, Scrape},
};

/// One look.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) phase: Phase,
    /// The causes that are said.
    pub(super) said: BTreeSet<String>,
    /// What is said of them, in sentences.
    pub(super) sentences: Vec<String>,
    /// By series; those that are 0 are left out.
    pub(super) numbers: BTreeMap<String, f64>,
    /// Of servers' processes: how many of a server are in a state.
    pub(super) states: BTreeMap<String, u32>,
}

/// What the observer says is starved: 1 for each cause.
const SAID: &str = "pxe_starvation";
/// Families that a verdict may follow from.
const TELLING: [&str; 30] = [
    "http_request_duration_seconds_count",
    "http_request_duration_seconds_sum",
    "http_request_phase_seconds_sum",
    "http_requests_aborted_total",
    "http_requests_in_flight",
    "http_requests_in_flight_seconds_total",
    "http_requests_total",
    "http_requests_waiting",
    "http_response_bytes_total",
    "http_transfer_limited_seconds_total",
    "http_transfers_stalled",
    "pxe_link_bytes_total",
    "pxe_link_drops_total",
    "pxe_link_speed_bytes",
    "pxe_listener_up",
    "pxe_observer_events_lost_total",
    "tcp_connections_in_flight",
    "tcp_listen_drops_total",
    "tcp_listen_queue_length",
    "tcp_listen_queue_limit",
    "tcp_retransmits_total",
    "tftp_first_answer_seconds_count",
    "tftp_first_answer_seconds_sum",
    "tftp_requests_total",
    "tftp_requests_waiting",
    "tftp_retransmits_total",
    "tftp_sent_bytes_total",
    "tftp_transfers_in_flight",
    "udp_receive_drops_total",
    "udp_receive_queue_bytes",
];

impl Sample {
    /// Looks now.
    pub(super) fn take(world: &World, phase: Phase) -> Result<Self> {
        let scrape = world.observer.scrape()?;
        Ok(Self {
            at: Instant::now(),
            phase,
            said: said(&scrape),
            sentences: sentences(&client::get(world.observer.address(), "/healthz?verbose")?),
            numbers: numbers(&scrape),
            states: states(world)?,
        })
    }

    /// The sum over the series of a family.
    pub(super) fn sum(&self, family: &str) -> f64 {
        let of_family = |series: &str| series.split('{').next() == Some(family);
        let numbers = self.numbers.iter();
        numbers
            .filter(|(series, _)| of_family(series))
            .map(|(_, value)| value)
            .sum()
    }
}

fn said(scrape: &Scrape) -> BTreeSet<String> {
    let series = scrape.series(SAID).filter(|(_, value)| *value != 0.0);
    series
        .filter_map(|(labels, _)| labels.get("cause").cloned())
        .collect()
}

/// As /healthz has them, if it has any: `starvation CAUSE ...`.
fn sentences(answer: &str) -> Vec<String> {
    let lines = answer.lines();
    lines
        .filter_map(|line| line.strip_prefix("starvation "))
        .map(str::to_owned)
        .collect()
}

fn numbers(scrape: &Scrape) -> BTreeMap<String, f64> {
    let telling = scrape
        .all()
        .filter(|(name, _, value)| TELLING.contains(&name.as_str()) && *value != 0.0);
    telling
        .map(|(name, labels, value)| (series(name, labels), *value))
        .collect()
}

/// `name{label value,label value}`
fn series(name: &str, labels: &Labels) -> String {
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{name}{{{}}}", labels.join(","))
}

fn states(world: &World) -> Result<BTreeMap<String, u32>> {
    let mut states = BTreeMap::new();
    for (server, leader) in world.processes() {
        let workers = process::children(leader)?;
        for state in [leader]
            .into_iter()
            .chain(workers)
            .filter_map(process::state)
        {
            *states.entry(format!("{server} {state}")).or_default() += 1;
        }
    }
    Ok(states)
}

impl Sample {
    /// All of it, its time in seconds since the cause began.
    pub(super) fn json(&self, onset: Instant) -> Value {
        let before = onset.saturating_duration_since(self.at).as_secs_f64();
        let after = self.at.saturating_duration_since(onset).as_secs_f64();
        json!({
            "second": after - before,
            "phase": self.phase.name(),
            "said": self.said,
            "sentences": self.sentences,
            "processes": self.states,
            "numbers": self.numbers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_and_nothing_where_nobody_speaks() {
        let answer = "HTTP/1.1 200 OK\r\n\r\n\
            pxe_starvation{cause=\"workers_busy\"} 1\n\
            pxe_starvation{cause=\"link_full\"} 0\n";
        let scrape = Scrape::parse(answer).expect("a scrape");
        assert_eq!(said(&scrape), BTreeSet::from(["workers_busy".to_owned()]));
        let silent = Scrape::parse("HTTP/1.1 200 OK\r\n\r\n").expect("a scrape");
        assert_eq!(said(&silent), BTreeSet::new());

        let answer = "HTTP/1.1 200 OK\r\n\r\nok\nstarvation workers_busy image: boot waits\n";
        assert_eq!(sentences(answer), ["workers_busy image: boot waits"]);
        assert_eq!(sentences("HTTP/1.1 404 Not Found\r\n\r\n"), [""; 0]);
    }
}
