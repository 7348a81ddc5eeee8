//! What shows of the links and of the paths behind them.

use super::{
    Context, NETWORK,
    http::Port,
    total,
    words::{percent, rate},
};
use crate::model::{
    limiter::Limiter,
    verdict::{
        Cause, Finding,
        second::{Link, Second},
        window::{MOST, WINDOW},
    },
};

/// Payload of a full segment over Ethernet, with timestamps (RFC 7323).
const SEGMENT: f64 = 1448.0;
/// Fewer that are sent again are no loss to speak of.
const RETRANSMITS: u64 = 50;
/// In so many seconds: bursts that a host sends itself lose some, too.
const LASTING: usize = 4;
/// So many TFTP transfers at once keep a link busy.
const TRANSFERS: usize = 3;

/// The link that is full, if answers or transfers wait for it.
pub(super) fn link_full(context: &Context<'_>) -> Option<Finding> {
    let latest = context.window.latest()?;
    let full = latest.links.keys().find(|name| is_full(context, name))?;
    let link = context.window.link(full);
    let surfaces = context
        .window
        .ports()
        .into_iter()
        .flat_map(|port| context.window.surfaces(port));
    let slowest = surfaces
        .filter(|(_, sum)| {
            sum.is_limited_by(Limiter::Path) && sum.sending() >= context.window.length()
        })
        .max_by(|(_, a), (_, b)| {
            a.limited(Limiter::Path)
                .total_cmp(&b.limited(Limiter::Path))
        });
    let running: usize = context
        .window
        .files()
        .values()
        .map(|files| files.running)
        .sum();
    if slowest.is_none() && running < TRANSFERS {
        return None;
    }
    let surface = slowest.map(|(endpoint, _)| endpoint);
    let length = context.window.length();
    let (sent, received) = (total(link.sent) / length, total(link.received) / length);
    let drops = total(link.sent_drops) / length;
    let speed = link
        .speed
        .map_or(String::new(), |speed| format!(" of {}", rate(total(speed))));
    let says = format!(
        "link {full} is full: {}{speed} sent, {drops:.0} packets a second dropped, {} bytes waiting; {} waits for it",
        rate(sent),
        link.backlog,
        surface.map_or("TFTP", |endpoint| context.name(endpoint)),
    );
    let mut evidence = vec![
        ("sent_bytes_per_second", sent),
        ("received_bytes_per_second", received),
        ("drops_per_second", drops),
        ("backlog_bytes", total(link.backlog)),
    ];
    evidence.extend(
        link.speed
            .map(|speed| ("speed_bytes_per_second", total(speed))),
    );
    Some(Finding {
        cause: Cause::LinkFull,
        surface,
        says,
        evidence,
        place: NETWORK,
        weight: sent,
    })
}

/// Its queue drops packets or is never empty, or it carries what it can.
fn is_full(context: &Context<'_>, name: &str) -> bool {
    let holds = |is_full: &dyn Fn(&Link, &Second) -> bool| {
        let holds = |second: &Second| {
            second
                .links
                .get(name)
                .is_some_and(|link| is_full(link, second))
        };
        context.window.count(holds)
    };
    let ratio = context.thresholds.link_ratio;
    let is_fast = |link: &Link, second: &Second| {
        let busiest = total(link.sent.max(link.received)) / second.length;
        link.speed
            .is_some_and(|speed| busiest >= ratio * total(speed))
    };
    holds(&|link, _| link.sent_drops != 0) >= MOST
        || holds(&is_fast) >= MOST
        || holds(&|link, _| link.backlog != 0) >= WINDOW
}

/// Segments get lost.
pub(super) fn loss(port: &Port<'_>) -> Option<Finding> {
    let context = port.context;
    let again = context.window.port(port.name).retransmits;
    let bytes: u64 = port.surfaces.values().map(|sum| sum.bytes).sum();
    let ratio =
        |again: u64, bytes: u64| total(again) / (total(bytes) / SEGMENT + total(again)).max(1.0);
    let is_lossy = |second: &Second| {
        let again = second
            .ports
            .get(&port.name)
            .map_or(0, |port| port.retransmits);
        let here = second
            .surfaces
            .iter()
            .filter(|((at, _), _)| *at == port.name);
        let bytes = here.map(|(_, surface)| surface.bytes).sum();
        ratio(again, bytes) >= context.thresholds.loss_ratio
    };
    let lost = ratio(again, bytes);
    if again < RETRANSMITS
        || lost < context.thresholds.loss_ratio
        || context.window.count(is_lossy) < LASTING
    {
        return None;
    }
    let (endpoint, sum) = port.surfaces.iter().max_by_key(|(_, sum)| sum.bytes)?;
    let says = format!(
        "{} of the segments of port {} are sent again: the path to the clients of {} loses packets",
        percent(lost),
        port.name.label(),
        context.name(*endpoint),
    );
    let evidence = vec![
        ("retransmits", total(again)),
        ("loss_ratio", lost),
        (
            "bytes_per_second",
            total(sum.bytes) / context.window.length(),
        ),
    ];
    Some(port.finding(
        Cause::NetworkLoss,
        Some(*endpoint),
        total(again),
        says,
        evidence,
    ))
}
