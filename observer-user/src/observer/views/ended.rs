//! What ended, as viewers are told it.

use std::{net::Ipv6Addr, time::Duration};

use super::{seconds, when};
use crate::{
    live::message::{Ended, Phases},
    model::{
        classify::Classifier,
        fact,
        journal::{Entry, What},
    },
};

pub(super) fn ended(entry: &Entry, classifier: &Classifier, now_ns: u64, now: Duration) -> Ended {
    let class = entry.what.class();
    let common = Ended {
        number: entry.number,
        at_s: when(entry.at_ns, now_ns, now),
        protocol: "http".into(),
        client: Ipv6Addr::UNSPECIFIED.into(),
        client_port: 0,
        endpoint: classifier.endpoint_name(class.endpoint).to_owned(),
        stage: class.stage.name().into(),
        method: "".into(),
        path: entry.target.text().into_owned(),
        path_cut: entry.target.is_cut(),
        status: None,
        outcome: "".into(),
        failed: false,
        duration_s: 0.0,
        phases: Phases::default(),
        bytes: 0,
        retransmits: None,
    };
    match &entry.what {
        What::Request {
            asked,
            status,
            phases,
            bytes,
            outcome,
        } => Ended {
            client: Ipv6Addr::from(asked.tuple.client).to_canonical(),
            client_port: asked.tuple.client_port,
            method: asked.method.name().into(),
            status: status.map(|status| status.code()),
            outcome: match outcome {
                fact::Outcome::Complete => "complete".into(),
                fact::Outcome::Aborted(side) => format!("aborted by {}", side.name()).into(),
            },
            failed: *outcome != fact::Outcome::Complete
                || status.is_none_or(|status| status.code() >= 400),
            duration_s: seconds(phases.duration()),
            phases: self::phases(phases),
            bytes: *bytes,
            ..common
        },
        What::Transfer {
            asked,
            wait_ns,
            duration_ns,
            bytes,
            retransmits,
            outcome,
        } => Ended {
            protocol: "tftp".into(),
            client: Ipv6Addr::from(asked.peer.address).to_canonical(),
            client_port: asked.peer.port,
            method: asked.operation.name().into(),
            outcome: outcome.name().into(),
            failed: outcome.is_failure(),
            duration_s: seconds(*duration_ns),
            phases: transfer(*wait_ns, *duration_ns),
            bytes: *bytes,
            retransmits: Some(*retransmits),
            ..common
        },
    }
}

pub(super) fn phases(phases: &fact::Phases) -> Phases {
    Phases {
        queue_s: phases.queue.map(seconds),
        receive_s: seconds(phases.receive),
        handle_s: seconds(phases.handle),
        transfer_s: phases.transfer.map(seconds),
    }
}

/// Of a transfer that lasted so long: the wait for its first answer, and the rest.
pub(super) fn transfer(wait_ns: Option<u64>, duration_ns: u64) -> Phases {
    let waited = wait_ns.unwrap_or(duration_ns);
    Phases {
        queue_s: None,
        receive_s: 0.0,
        handle_s: seconds(waited),
        transfer_s: wait_ns.map(|_| seconds(duration_ns.saturating_sub(waited))),
    }
}
