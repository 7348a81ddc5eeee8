//! What lives, row by row, as viewers are told it.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use super::{ended, seconds, when};
use crate::{
    live::message::Row,
    model::{
        classify::{Class, Classifier},
        tftp,
        track::{self, Step},
    },
};

/// What had moved of each row in the last snapshot.
#[derive(Debug, Default)]
pub(super) struct Paces(HashMap<String, Pace>);

#[derive(Clone, Copy, Debug)]
struct Pace {
    at_ns: u64,
    bytes: u64,
    rate: Option<f64>,
}

impl Paces {
    /// Says of each row how fast it is, and forgets those that are not there any more.
    pub(super) fn measure(&mut self, rows: &mut [Row], now_ns: u64) {
        let former = std::mem::take(&mut self.0);
        for row in rows {
            row.rate = rate(row, former.get(&row.id), now_ns);
            let pace = Pace {
                at_ns: now_ns,
                bytes: row.bytes,
                rate: row.rate,
            };
            self.0.insert(row.id.clone(), pace);
        }
    }
}

/// Since the last snapshot; of what is new, since its first byte.
fn rate(row: &Row, former: Option<&Pace>, now_ns: u64) -> Option<f64> {
    let (bytes, elapsed_s) = match former {
        Some(former) if former.at_ns >= now_ns => return former.rate,
        Some(former) => {
            let moved = row.bytes.saturating_sub(former.bytes);
            (moved, seconds(now_ns - former.at_ns))
        }
        None => (row.bytes, row.phases.transfer_s?),
    };
    (elapsed_s > 0.0).then(|| bytes as f64 / elapsed_s)
}

/// When a snapshot is made, and by whose rules.
#[derive(Clone, Copy)]
pub(super) struct Now<'a> {
    pub(super) ns: u64,
    pub(super) unix: Duration,
    pub(super) classifier: &'a Classifier,
}

impl Now<'_> {
    pub(super) fn request(&self, row: &track::Row) -> Row {
        let tuple = &row.asked.tuple;
        let (client, port) = (address(tuple.client), tuple.client_port);
        let id = row.id;
        Row {
            // Before it is accepted it has no cookie.
            id: match id.cookie {
                0 => format!("{client} {port} {}", id.turn),
                cookie => format!("{cookie:x} {}", id.turn),
            },
            client_port: port,
            server_port: Some(tuple.server_port),
            method: row.asked.method.name().into(),
            path: row.target.text().into_owned(),
            path_cut: row.target.is_cut(),
            status: row.status.map(|status| status.code()),
            phase: row.step.name().into(),
            phases: ended::phases(&row.phases),
            bytes: row.bytes,
            total: row.total,
            retransmits: row.retransmits.map(u64::from),
            limiter: row.limiter.map(|limiter| limiter.name().into()),
            stalled_by: row.stalled.map(|waits_for| waits_for.name().into()),
            pid: row.pid,
            ..self.common(client, row.asked.class, row.asked.begun_ns)
        }
    }

    pub(super) fn transfer(&self, row: &tftp::Row) -> Row {
        let peer = &row.asked.peer;
        let (client, begun_ns) = (address(peer.address), row.asked.begun_ns);
        let step = match row.wait_ns {
            None => Step::Waiting,
            Some(_) => Step::Transferring,
        };
        Row {
            id: format!("{client} {} {begun_ns}", peer.port),
            protocol: "tftp".into(),
            client_port: peer.port,
            method: row.asked.operation.name().into(),
            path: row.target.text().into_owned(),
            path_cut: row.target.is_cut(),
            phase: step.name().into(),
            phases: ended::transfer(row.wait_ns, self.ns.saturating_sub(begun_ns)),
            bytes: row.bytes,
            total: row.size,
            retransmits: Some(row.retransmits),
            stalled_by: row.stalled.map(|waits_for| waits_for.name().into()),
            ..self.common(client, row.asked.class, begun_ns)
        }
    }

    fn common(&self, client: IpAddr, class: Class, begun_ns: u64) -> Row {
        Row {
            id: String::new(),
            protocol: "http".into(),
            client,
            client_port: 0,
            server_port: None,
            endpoint: self.classifier.endpoint_name(class.endpoint).to_owned(),
            stage: class.stage.name().into(),
            method: "".into(),
            path: String::new(),
            path_cut: false,
            status: None,
            began_s: when(begun_ns, self.ns, self.unix),
            age_s: seconds(self.ns.saturating_sub(begun_ns)),
            phase: "".into(),
            phases: ended::transfer(None, 0),
            bytes: 0,
            total: None,
            rate: None,
            limiter: None,
            retransmits: None,
            stalled_by: None,
            pid: None,
        }
    }
}

fn address(bytes: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(bytes).to_canonical()
}
