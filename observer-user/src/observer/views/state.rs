//! All there is at one instant, as viewers are told it.

use std::collections::BTreeMap;

use super::{protocol, rows::Now};
use crate::{
    clock::{monotonic_ns, unix},
    kernel::ProbeRuns,
    live::message::{
        Count, Endpoint, Finding, Link, Listener, Probe, Quantiles, ROWS, Row, Snapshot, Table,
        UdpQueue,
    },
    model::{
        classify::Proto, event::Kind, links::Total as LinkTotal, loss::Loss, minute,
        totals::Totals, track::Live,
    },
    observer::{Observer, report::KERNEL_LOSSES},
};

impl Observer {
    /// Right behind a look, with so many rows.
    pub(super) fn state(&mut self, rows: usize) -> Snapshot {
        let now_ns = monotonic_ns();
        let (rows, rows_left_out) = self.rows(now_ns, rows.min(ROWS));
        Snapshot {
            at_s: unix().as_secs_f64(),
            uptime_s: self.views.began.elapsed().as_secs_f64(),
            healthy: self.health.is_draining(),
            findings: self.views.findings.iter().map(finite).collect(),
            endpoints: self.endpoints(now_ns),
            listeners: self.listeners(),
            udp_queues: self.udp_queues(),
            links: self.servers.links.totals().map(link).collect(),
            rows,
            rows_left_out,
            servers: self.serving(),
            probes: self.probes(),
            tables: self.tables(),
            losses: self.losses(),
            ring_full: Kind::ALL.map(|kind| self.ring_full(kind)).to_vec(),
            viewers: self.views.viewers().0,
        }
    }

    fn rows(&mut self, now_ns: u64, most: usize) -> (Vec<Row>, usize) {
        let requests = self.tracker.rows(now_ns, most);
        let (transfers, count) = self.transfers.rows(most);
        let now = Now {
            ns: now_ns,
            unix: unix(),
            classifier: &self.views.classifier,
        };
        let transfers = transfers.iter().map(|row| now.transfer(row));
        let requests_told = requests.rows.iter().map(|row| now.request(row));
        let mut rows: Vec<Row> = transfers.chain(requests_told).collect();
        rows.sort_by(|a, b| {
            let moves = |row: &Row| row.stalled_by.is_none();
            let older = || b.age_s.total_cmp(&a.age_s);
            moves(a).cmp(&moves(b)).then_with(older)
        });
        rows.truncate(most);
        self.views.paces.measure(&mut rows, now_ns);
        let left_out = requests.count + count - rows.len();
        (rows, left_out)
    }

    fn endpoints(&self, now_ns: u64) -> Vec<Endpoint> {
        let mut all = Vec::new();
        for (proto, live, totals) in [
            (Proto::Http, self.tracker.live(), &self.views.requests),
            (Proto::Tftp, self.transfers.live(), &self.views.transfers),
        ] {
            let names = self.views.classifier.endpoints().iter().enumerate();
            all.extend(names.map(|(index, name)| Endpoint {
                protocol: protocol(proto).into(),
                endpoint: name.to_string(),
                ..endpoint(index, &live, totals, now_ns)
            }));
        }
        all
    }

    fn listeners(&self) -> Vec<Listener> {
        let drops: BTreeMap<_, _> = self.servers.queues.drops().collect();
        let all = self.servers.queues.listening();
        all.map(|(name, listening)| Listener {
            port: name.label().into_owned(),
            up: listening.up,
            length: listening.length,
            limit: listening.limit,
            drops: drops.get(&name).copied().unwrap_or(0),
        })
        .collect()
    }

    fn udp_queues(&self) -> Vec<UdpQueue> {
        let drops: BTreeMap<u16, u64> = self.kernel.udp_drops().collect();
        let all = self.servers.queues.receiving();
        all.map(|(port, receiving)| UdpQueue {
            port,
            up: receiving.up,
            bytes: receiving.bytes,
            drops: drops.get(&port).copied().unwrap_or(0),
        })
        .collect()
    }

    fn probes(&self) -> Vec<Probe> {
        let runs = self.kernel.runs();
        let all = self.kernel.probes().iter();
        all.map(|probe| {
            let ran = runs.iter().find(|ran| ran.hook == probe.hook);
            Probe {
                hook: probe.hook.name().into(),
                attached: probe.attached.is_ok(),
                runs: ran.map(|ran| ran.runs),
                run_s: ran.map(|ProbeRuns { time, .. }| time.as_secs_f64()),
            }
        })
        .collect()
    }

    fn tables(&self) -> Vec<Table> {
        let tracker = (
            crate::model::table::Table::Tracker,
            self.tracker.connections(),
            self.tracker.limit(),
        );
        let all = self.views.tables.iter().chain([&tracker]);
        all.map(|(table, entries, limit)| Table {
            table: table.name().into(),
            entries: *entries,
            limit: *limit,
        })
        .collect()
    }

    /// What facts tell, and what the kernel side counts by itself.
    fn losses(&self) -> Vec<Count> {
        let (requests, transfers) = (&self.views.requests, &self.views.transfers);
        let told = requests.losses().zip(transfers.losses());
        told.map(|((loss, requests), (_, transfers))| {
            let kernel = KERNEL_LOSSES.iter().filter(|(_, of)| *of == loss);
            let kernel: u64 = kernel.map(|(counter, _)| self.kernel.count(*counter)).sum();
            let begins = [Kind::Request, Kind::TftpRequest].map(Kind::number);
            let unheard: u64 = match loss {
                Loss::RingFull => begins.map(|kind| self.kernel.ring_full(kind)).iter().sum(),
                Loss::TableFull
                | Loss::PendingOverflow
                | Loss::PendingCollision
                | Loss::JoinedMidway
                | Loss::PipelinedOpaque
                | Loss::Undecodable
                | Loss::Swept => 0,
            };
            Count {
                name: loss.name().into(),
                count: requests + transfers + kernel + unheard,
            }
        })
        .collect()
    }

    fn ring_full(&self, kind: Kind) -> Count {
        Count {
            name: kind.name().into(),
            count: self.kernel.ring_full(kind.number()),
        }
    }
}

/// JSON has no other numbers.
fn finite(finding: &Finding) -> Finding {
    let mut finding = finding.clone();
    finding.evidence.retain(|(_, value)| value.is_finite());
    finding
}

fn endpoint(index: usize, live: &Live, totals: &Totals, now_ns: u64) -> Endpoint {
    let at = |counts: &[u64]| counts.get(index).copied().unwrap_or(0);
    let total = totals.total(index, now_ns);
    Endpoint {
        in_flight: at(&live.in_flight),
        waiting: at(&live.waiting),
        stalled: live.stalled.iter().map(|counts| at(counts)).sum(),
        streams: at(&live.streams),
        ended: total.ended,
        errors: total.errors,
        bytes: total.bytes,
        duration: total.duration.map(quantiles),
        wait: total.wait.map(quantiles),
        ..Endpoint::default()
    }
}

fn quantiles(found: minute::Quantiles) -> Quantiles {
    Quantiles {
        count: found.count,
        p50_s: found.p50,
        p95_s: found.p95,
        p99_s: found.p99,
    }
}

fn link((name, total): (&str, &LinkTotal)) -> Link {
    Link {
        name: name.to_owned(),
        received: total.received,
        sent: total.sent,
        received_drops: total.received_drops,
        sent_drops: total.sent_drops,
        speed: total.speed,
    }
}
