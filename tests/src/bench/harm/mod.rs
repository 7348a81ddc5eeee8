//! What servers and their clients notice: the same work without anything, beside the observer or
//! what else an administrator would run, and without again. The two without are the control: where
//! they differ, the machine did, and the comparison is not to be used.

mod capturing;
mod comparison;
mod http;
mod paced;
mod rival;
mod tftp;
mod unrelated;
mod work;

use anyhow::Result;

use self::{
    comparison::Trial,
    http::Http,
    rival::{Ports, Rival},
    tftp::Tftp,
    work::Work,
};
use super::Report;
use crate::netns::Netns;

/// Measures in so many rounds; a report for each work.
pub fn run(rounds: usize) -> Result<Vec<Report>> {
    watched(rounds, &Rival::WATCHERS, |http, tftp, netns| {
        let mut works = http.works();
        works.extend(tftp.works());
        works.extend(unrelated::works(netns));
        works
    })
}

/// What clients notice of an observer that comes and goes, stands still, or has no room.
pub fn trouble(rounds: usize) -> Result<Vec<Report>> {
    watched(rounds, &Rival::TROUBLES, |http, tftp, _| {
        let mut works = http.timed();
        works.push(tftp.timed());
        works
    })
}

fn watched(
    rounds: usize,
    rivals: &[Rival],
    works: impl for<'a> Fn(&'a Http<'_>, &'a Tftp<'_>, &'a Netns) -> Vec<Work<'a>>,
) -> Result<Vec<Report>> {
    let netns = Netns::new("harm")?;
    let http = Http::start(&netns)?;
    let tftp = Tftp::start(&netns)?;
    let ports = Ports {
        http: http::PORT,
        tftp: tftp.ports(),
    };
    let reports: Result<_> = works(&http, &tftp, &netns)
        .iter()
        .map(|work| compare(&netns, ports, work, rivals, rounds))
        .collect();
    http.stop()?;
    reports
}

fn compare(
    netns: &Netns,
    ports: Ports,
    work: &Work<'_>,
    rivals: &[Rival],
    rounds: usize,
) -> Result<Report> {
    // Files, caches and the clocks of processors are warm then.
    let mut before = (work.run)()?;
    let mut trials = Vec::new();
    for _ in 0..rounds {
        for &rival in rivals {
            let running = rival.start(netns, ports)?;
            let beside = (work.run)()?;
            let lost = running.stop()?;
            let after = (work.run)()?;
            let told = [before, beside, after.clone()];
            trials.push(Trial { rival, told, lost });
            before = after;
        }
    }
    Ok(Report {
        title: work.title,
        figures: comparison::figures(&trials, rivals),
    })
}
