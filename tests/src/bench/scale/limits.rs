//! More connections, transfers and events than there is room for. Whatever was made is counted, or
//! counted as lost; the rest works on, and nothing stays in flight.

use std::time::Duration;

use anyhow::{Result, ensure};
use observer_common::limits::{TRANSFER_OVER_NS, TRANSFERS};
use rustix::process::Signal;

use crate::{
    bench::{Figure, crowd::Crowd, ends::Verb, traffic::FIRST_REQUESTS},
    netns::Netns,
    observer::Observer,
    scrape::Scrape,
};

/// Connections that there is room for, and that are made.
const CONNECTIONS: [usize; 2] = [2_000, 3_000];
/// The same of transfers.
const CLIENTS: [usize; 2] = [TRANSFERS as usize, TRANSFERS as usize + 1_000];
/// Clients that come when all transfers are over, and not forgotten.
const LATE: usize = 100;
/// Clients that come when they are forgotten.
const NEXT: usize = 1_000;
/// Requests while nobody drains; their ring holds about 1,400.
const UNDRAINED: usize = 3_000;
/// The daemon forgets transfers every 30 s, and says so some seconds later.
const FORGOTTEN: Duration = Duration::from_nanos(TRANSFER_OVER_NS + 45_000_000_000);
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What is made, and who observes it.
struct Stage {
    crowd: Crowd,
    observer: Observer,
    /// Requests of both protocols.
    made: usize,
    /// Those of them that found a table full.
    without_place: usize,
}

pub(super) fn check(netns: &Netns) -> Result<Vec<Figure>> {
    let crowd = Crowd::start(netns, CLIENTS[1] + LATE)?;
    let mut arguments = crowd.arguments();
    arguments.push(format!("--max-connections={}", CONNECTIONS[0]));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut stage = Stage {
        observer: Observer::start(&arguments)?,
        crowd,
        made: 0,
        without_place: 0,
    };
    stage.more_connections()?;
    stage.more_transfers()?;
    stage.after_them()?;
    let scrape = stage.more_events()?;
    stage.observer.stop()?;
    let sum = |name| scrape.sum(name, &[]);
    Ok(vec![
        figure("requests made", stage.made as f64),
        figure("counted, HTTP", sum("http_requests_total")),
        figure("counted, TFTP", sum("tftp_requests_total")),
        figure("lost, table_full", lost(&scrape, "table_full")),
        figure("lost, ring_full", lost(&scrape, "ring_full")),
    ])
}

impl Stage {
    /// A connection that finds no place loses each of its requests; one that comes when places are
    /// free again loses none.
    fn more_connections(&mut self) -> Result<()> {
        let [room, all] = CONNECTIONS;
        self.crowd.connect(all, &mut || Ok(()))?;
        self.crowd.each_connection(Verb::Ask, 1, &mut || Ok(()))?;
        self.observer
            .until(|scrape| in_flight(scrape) == room as f64)?;
        self.crowd
            .each_connection(Verb::Answer, 1, &mut || Ok(()))?;
        self.made += all * (FIRST_REQUESTS + 1);
        self.without_place += (all - room) * (FIRST_REQUESTS + 1);
        self.adds_up()?;
        self.no_connection_stays()?;
        self.crowd.connect(room, &mut || Ok(()))?;
        self.made += room * FIRST_REQUESTS;
        self.adds_up()?;
        Ok(())
    }

    /// A client that finds no place loses its request; HTTP is counted all the same. Places are
    /// free when the transfers were forgotten, not when they are over.
    fn more_transfers(&mut self) -> Result<()> {
        let [room, all] = CLIENTS;
        let drained = &mut || self.observer.scrape().map(drop);
        self.crowd.begin(all, drained)?;
        self.crowd.each_transfer(Verb::Pair, 1, drained)?;
        self.observer
            .until(|scrape| in_flight(scrape) == room as f64)?;
        self.crowd.each_connection(Verb::Request, 1, drained)?;
        self.crowd.each_transfer(Verb::Finish, 1, drained)?;
        self.made += all + CONNECTIONS[0];
        self.without_place += all - room;
        let scrape = self.adds_up()?;
        let complete = scrape.sum("tftp_requests_total", &[("outcome", "complete")]);
        ensure!(complete == room as f64, "{complete} transfers complete");

        let drained = &mut || self.observer.scrape().map(drop);
        self.crowd.begin(all + LATE, drained)?;
        self.made += LATE;
        self.without_place += LATE;
        self.adds_up()?;
        self.no_connection_stays()
    }

    /// Whoever comes then is counted again.
    fn after_them(&mut self) -> Result<()> {
        self.crowd.leave()?;
        self.observer
            .until_within(FORGOTTEN, BETWEEN_LOOKS, |scrape| {
                entries(scrape, "transfers") == 0.0
            })?;
        let drained = &mut || self.observer.scrape().map(drop);
        self.crowd.begin(NEXT, drained)?;
        self.crowd.each_transfer(Verb::Finish, 1, drained)?;
        self.made += NEXT;
        self.adds_up()?;
        self.crowd.leave()
    }

    /// A transfer whose request found the ring full is lost, whatever comes after.
    fn more_events(&mut self) -> Result<Scrape> {
        self.observer.signal(Signal::STOP)?;
        let begun = self.crowd.begin(UNDRAINED, &mut || Ok(()));
        self.observer.signal(Signal::CONT)?;
        begun?;
        self.observer
            .until(|scrape| in_flight(scrape) + lost(scrape, "ring_full") == UNDRAINED as f64)?;
        let drained = &mut || self.observer.scrape().map(drop);
        self.crowd.each_transfer(Verb::Finish, 1, drained)?;
        self.made += UNDRAINED;
        let scrape = self.adds_up()?;
        let unseen = lost(&scrape, "ring_full");
        ensure!(unseen > 0.0, "the ring held all {UNDRAINED} requests");
        Ok(scrape)
    }

    /// Nothing is in flight; what was counted and what was lost is what was made.
    fn adds_up(&self) -> Result<Scrape> {
        let scrape = self.observer.until(|scrape| in_flight(scrape) == 0.0)?;
        let counted = ["http_requests_total", "tftp_requests_total"];
        let counted: f64 = counted.iter().map(|name| scrape.sum(name, &[])).sum();
        let reasons = scrape.lost();
        let all: f64 = reasons.iter().map(|(_, count)| count).sum();
        ensure!(
            counted + all == self.made as f64
                && lost(&scrape, "table_full") == self.without_place as f64,
            "{} requests made, {} without a place: {counted} counted, lost {reasons:?}",
            self.made,
            self.without_place
        );
        Ok(scrape)
    }

    /// Once all are closed, no table has one.
    fn no_connection_stays(&mut self) -> Result<()> {
        self.crowd.close()?;
        self.observer.until(|scrape| {
            ["conns", "pending", "pipes", "tracker"]
                .iter()
                .all(|table| entries(scrape, table) == 0.0)
        })?;
        Ok(())
    }
}

fn in_flight(scrape: &Scrape) -> f64 {
    scrape.sum("http_requests_in_flight", &[]) + scrape.sum("tftp_transfers_in_flight", &[])
}

fn entries(scrape: &Scrape, table: &str) -> f64 {
    scrape.sum("pxe_observer_table_entries", &[("table", table)])
}

fn lost(scrape: &Scrape, reason: &str) -> f64 {
    scrape.sum("pxe_observer_events_lost_total", &[("reason", reason)])
}

/// What was counted once, and checked.
fn figure(name: &str, count: f64) -> Figure {
    let mut figure = Figure::new(format!("past the limits, {name}"), "");
    figure.values.push(count);
    figure
}
