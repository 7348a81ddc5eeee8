//! The verdict's inputs, and where it is told.

use super::Observer;
use crate::{
    clock::monotonic_ns,
    health::Section,
    live::message,
    model::verdict::{Change, Finding, Scene},
};

impl Observer {
    /// Looks who starves, right behind a look at what lives; once a second.
    pub(super) fn judge(&mut self) {
        let now_ns = monotonic_ns();
        let Self {
            kernel,
            tracker,
            transfers,
            servers,
            verdict,
            ..
        } = self;
        let changes = verdict.look(Scene {
            now_ns,
            exchanges: Box::new(tracker.under_way()),
            transfers: Box::new(transfers.under_way()),
            queues: &servers.queues,
            links: &servers.links,
            retransmits: Box::new(kernel.retransmits()),
            udp_drops: Box::new(kernel.udp_drops()),
            processes: &servers.processes,
            owners: &servers.owners,
        });
        changes.iter().for_each(log);
        self.tell(now_ns);
    }

    fn tell(&mut self, now_ns: u64) {
        let name = |finding: &Finding| {
            let endpoint = finding.surface?;
            self.verdict.name(endpoint).map(str::to_owned)
        };
        let findings = self
            .verdict
            .findings()
            .map(|(finding, since_ns)| message::Finding {
                cause: finding.cause.name().to_owned(),
                endpoint: name(finding),
                says: finding.says.clone(),
                evidence: finding
                    .evidence
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), *value))
                    .collect(),
                since_s: std::time::Duration::from_nanos(now_ns.saturating_sub(since_ns))
                    .as_secs_f64(),
            });
        let findings: Vec<message::Finding> = findings.collect();
        let line = |finding: &message::Finding| {
            let endpoint = finding.endpoint.as_deref().unwrap_or("all");
            format!("starvation {} {endpoint}: {}", finding.cause, finding.says)
        };
        self.health
            .say(Section::Starvation, findings.iter().map(line));
        self.views.findings = findings;
    }
}

fn log(change: &Change) {
    match change {
        Change::Begins(finding) => {
            tracing::warn!("starvation, {}: {}", finding.cause.name(), finding.says);
        }
        Change::Ends(cause, seconds) => {
            tracing::info!("starvation, {}: over after {seconds:.0} s", cause.name());
        }
    }
}
