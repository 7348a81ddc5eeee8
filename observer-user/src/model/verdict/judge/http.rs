//! What shows at an HTTP port.

mod sending;
mod server;
mod waiting;

use std::collections::BTreeMap;

use super::{Context, network, who_waits};
use crate::model::{
    classify::Endpoint,
    limiter::Limiter,
    ports::Name,
    verdict::{Cause, Finding, finding::Place, second::Second, window::Sum},
};

/// One port, and what there is at it.
pub(super) struct Port<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) name: Name,
    pub(super) surfaces: BTreeMap<Endpoint, Sum>,
}

pub(super) fn all(context: &Context<'_>, name: Name) -> Vec<Finding> {
    let surfaces = context.window.surfaces(name);
    let port = Port {
        context,
        name,
        surfaces,
    };
    [
        port.server_down(),
        port.server_stopped(),
        port.server_disk(),
        port.workers_busy(),
        port.accept_queue(),
        port.handler_slow(),
        network::loss(&port),
        port.client_slow(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Port<'_> {
    pub(super) fn finding(
        &self,
        cause: Cause,
        surface: Option<Endpoint>,
        weight: f64,
        says: String,
        evidence: Vec<(&'static str, f64)>,
    ) -> Finding {
        let place = Place::Http(self.name);
        Finding {
            cause,
            surface,
            says,
            evidence,
            place,
            weight,
        }
    }

    /// Those that have waited for too long to be taken up.
    fn waiting(&self) -> usize {
        self.surfaces.values().map(|sum| sum.latest.waiting).sum()
    }

    fn waiting_in(&self, second: &Second) -> usize {
        let here = second
            .surfaces
            .iter()
            .filter(|((port, _), _)| *port == self.name);
        here.map(|(_, surface)| surface.waiting).sum()
    }

    /// Those that wait, are worked on for long, or wait for the server to write.
    fn suffering(&self, second: &Second) -> usize {
        let here = second
            .surfaces
            .iter()
            .filter(|((port, _), _)| *port == self.name);
        here.map(|(_, surface)| {
            let server = surface
                .limited
                .get(Limiter::Server as usize)
                .copied()
                .unwrap_or(0.0);
            let is_written_slowly = server > surface.limited.iter().sum::<f64>() / 2.0;
            let sent = if is_written_slowly { surface.sent } else { 0 };
            surface.waiting + surface.handled_long + sent
        })
        .sum()
    }

    fn waits_most(&self) -> Option<Endpoint> {
        who_waits(&self.surfaces).map(|(endpoint, _)| endpoint)
    }

    /// What the workers have most of the time.
    fn held_most(&self) -> Option<Endpoint> {
        let mut held: BTreeMap<Endpoint, usize> = BTreeMap::new();
        for second in self.context.window.seconds() {
            let here = second
                .workers
                .iter()
                .filter(|((port, _), _)| *port == self.name);
            for endpoint in here.filter_map(|(_, worker)| worker.of) {
                *held.entry(endpoint).or_default() += 1;
            }
        }
        held.into_iter()
            .max_by_key(|(_, count)| *count)
            .map(|(endpoint, _)| endpoint)
    }
}
