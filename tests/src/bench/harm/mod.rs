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
    let netns = Netns::new("harm")?;
    let http = Http::start(&netns)?;
    let tftp = Tftp::start(&netns)?;
    let ports = Ports {
        http: http::PORT,
        tftp: tftp.ports(),
    };
    let mut works = http.works();
    works.extend(tftp.works());
    works.extend(unrelated::works(&netns));
    let reports: Result<_> = works
        .iter()
        .map(|work| compare(&netns, ports, work, &Rival::WATCHERS, rounds))
        .collect();
    drop(works);
    http.stop()?;
    reports
}

/// What clients of a web server notice while the observer attaches and detaches.
pub fn attach(rounds: usize) -> Result<Vec<Report>> {
    let netns = Netns::new("attach")?;
    let http = Http::start(&netns)?;
    let ports = Ports {
        http: http::PORT,
        // Nobody serves there.
        tftp: [18_498, 18_499],
    };
    let works = http.works();
    let reports: Result<_> = works
        .iter()
        .map(|work| compare(&netns, ports, work, &[Rival::Restarts], rounds))
        .collect();
    drop(works);
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
