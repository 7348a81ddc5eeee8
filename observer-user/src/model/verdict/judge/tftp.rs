//! What shows of TFTP.

use super::{
    Context, number, total,
    words::{many, percent, seconds, time},
};
use crate::model::{
    classify::Endpoint,
    verdict::{
        Cause, Finding,
        finding::Place,
        second::{Second, TftpPort},
        window::MOST,
    },
};

/// A server that serves fewer at once has not come to its limit.
const RUNNING: usize = 5;
/// Fewer packets that are sent again are no loss to speak of.
const RETRANSMITS: u64 = 10;
/// In so many seconds requests find no room.
const SECONDS: usize = 2;

pub(super) fn all(context: &Context<'_>) -> Vec<Finding> {
    let Some(latest) = context.window.latest() else {
        return Vec::new();
    };
    let findings = [
        down(latest),
        stopped(context, latest),
        drops(context),
        admission(context),
        loss(context),
    ];
    findings.into_iter().flatten().collect()
}

fn finding(
    cause: Cause,
    surface: Option<Endpoint>,
    weight: f64,
    says: String,
    evidence: Vec<(&'static str, f64)>,
) -> Finding {
    Finding {
        cause,
        surface,
        says,
        evidence,
        place: Place::Tftp,
        weight,
    }
}

fn down(latest: &Second) -> Option<Finding> {
    let (port, _) = latest.tftp_ports.iter().find(|(_, port)| port.down)?;
    let says = format!("nobody serves TFTP at port {port} any more: is the server running?");
    Some(finding(Cause::ServerDown, None, 1.0, says, Vec::new()))
}

fn stopped(context: &Context<'_>, latest: &Second) -> Option<Finding> {
    let pids = context.pids.of_tftp();
    let stopped = context.stopped(pids)?;
    let waiting: usize = latest.files.values().map(|files| files.waits.count()).sum();
    let says = format!(
        "{}, which serves TFTP, is stopped, by a signal or a debugger: {} unanswered",
        context.server(pids.iter().copied()),
        many(waiting, "request"),
    );
    let evidence = vec![("processes", number(stopped)), ("waiting", number(waiting))];
    Some(finding(
        Cause::ServerStopped,
        waits_most(context),
        1.0 + number(waiting),
        says,
        evidence,
    ))
}

fn drops(context: &Context<'_>) -> Option<Finding> {
    let drops_of = |second: &Second| {
        second
            .tftp_ports
            .values()
            .map(|port: &TftpPort| port.drops)
            .sum::<u64>()
    };
    let all: u64 = context.window.seconds().map(drops_of).sum();
    if context
        .window
        .seconds()
        .filter(|second| drops_of(second) != 0)
        .count()
        < SECONDS
    {
        return None;
    }
    let says = format!(
        "{} TFTP requests in {:.0} s found the server's receive queue full: it does not read as fast as they come",
        all,
        context.window.length(),
    );
    let evidence = vec![("drops_per_second", total(all) / context.window.length())];
    Some(finding(
        Cause::UdpDrops,
        waits_most(context),
        total(all),
        says,
        evidence,
    ))
}

fn admission(context: &Context<'_>) -> Option<Finding> {
    let files = context.window.files();
    let (waiting, running) = files.values().fold((0, 0), |(waiting, running), files| {
        (waiting + files.waiting, running + files.running)
    });
    if waiting == 0 || running < RUNNING {
        return None;
    }
    let most = files.iter().max_by_key(|(_, files)| files.running)?;
    let longest = files
        .values()
        .map(|files| files.waits.longest())
        .max()
        .unwrap_or(0);
    let server = context.server(context.pids.of_tftp().iter().copied());
    let fix = if server.starts_with("dnsmasq") {
        ": raise --tftp-max (50 by default)"
    } else {
        ""
    };
    let says = format!(
        "{} unanswered for up to {} while {server} serves {running} transfers, mostly of {}: it takes no more{fix}",
        many(waiting, "TFTP request"),
        time(longest),
        context.name(*most.0),
    );
    let evidence = vec![
        ("waiting", number(waiting)),
        ("running", number(running)),
        ("longest_wait_seconds", seconds(longest)),
    ];
    Some(finding(
        Cause::TftpAdmission,
        Some(*most.0),
        number(waiting),
        says,
        evidence,
    ))
}

fn loss(context: &Context<'_>) -> Option<Finding> {
    let files = context.window.files();
    let (blocks, again) = files.values().fold((0, 0), |(blocks, again), files| {
        (blocks + files.blocks, again + files.retransmits)
    });
    let ratio = total(again) / total(blocks + again).max(1.0);
    let is_lossy = |second: &Second| second.files.values().any(|files| files.retransmits != 0);
    let is_some = again >= RETRANSMITS && ratio >= context.thresholds.loss_ratio;
    // Clients that are gone are no loss: of theirs nothing moves.
    if !is_some || blocks < again || context.window.count(is_lossy) < MOST {
        return None;
    }
    let most = files.iter().max_by_key(|(_, files)| files.retransmits)?;
    let says = format!(
        "{} of the TFTP packets of {} are sent again: the path loses datagrams, each costs its transfer a timeout",
        percent(ratio),
        context.name(*most.0),
    );
    let evidence = vec![("retransmits", total(again)), ("loss_ratio", ratio)];
    Some(finding(
        Cause::TftpLoss,
        Some(*most.0),
        total(again),
        says,
        evidence,
    ))
}

fn waits_most(context: &Context<'_>) -> Option<Endpoint> {
    let files = context.window.files();
    let most = files.iter().max_by_key(|(_, files)| files.waiting)?;
    (most.1.waiting != 0).then_some(*most.0)
}
