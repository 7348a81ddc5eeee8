//! `pxe-observer explain`: what starves, in sentences.

use std::process::ExitCode;

use anyhow::bail;

use super::{
    Streams,
    text::{figure, printable},
};
use crate::live::{
    client::{Client, SocketArgs},
    message::{Finding, Message, Request, Snapshot},
};

/// Something starves: neither done nor failed.
const STARVES: u8 = 3;

/// Say what starves, and how that is known, of a running observer
///
/// Exit status: 0 nothing starves, 3 something does, 1 it cannot be said.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Where it runs.
    #[command(flatten)]
    socket: SocketArgs,
}

/// Runs the command.
///
/// # Errors
///
/// No observer, or nothing can be written.
pub fn run(args: &Args, streams: &mut Streams<'_>) -> anyhow::Result<ExitCode> {
    let Message::Snapshot(snapshot) = Client::once(&args.socket.live_socket, &Request::Snapshot)?
    else {
        bail!("the observer says something else than was asked for");
    };
    if args.json {
        serde_json::to_writer_pretty(&mut streams.out, &snapshot.findings)?;
        writeln!(streams.out)?;
    } else {
        streams.out.write_all(text(&snapshot).as_bytes())?;
    }
    Ok(match snapshot.findings.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(STARVES),
    })
}

fn text(snapshot: &Snapshot) -> String {
    if snapshot.findings.is_empty() {
        return calm(snapshot);
    }
    snapshot.findings.iter().map(sentence).collect()
}

fn calm(snapshot: &Snapshot) -> String {
    let sum = |count: fn(&crate::live::message::Endpoint) -> u64| {
        snapshot.endpoints.iter().map(count).sum::<u64>()
    };
    let nothing = if snapshot.is_judged() {
        "none: nothing starves"
    } else {
        "none yet: it has only just begun"
    };
    format!(
        "{nothing}; {} in flight, {} waiting, {} standing still\n",
        sum(|endpoint| endpoint.in_flight),
        sum(|endpoint| endpoint.waiting),
        sum(|endpoint| endpoint.stalled)
    )
}

fn sentence(finding: &Finding) -> String {
    let endpoint = finding.endpoint.as_deref().unwrap_or("all endpoints");
    let mut text = format!(
        "{} ({}, for {:.0} s): {}\n",
        printable(&finding.cause),
        printable(endpoint),
        finding.since_s,
        printable(&finding.says)
    );
    for (name, value) in &finding.evidence {
        text += &format!("  {} = {}\n", printable(name), figure(*value));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starves_is_a_sentence_with_its_evidence() {
        let mut snapshot = Snapshot::default();
        assert!(text(&snapshot).starts_with("none yet: it has only just begun; 0 in flight"));
        snapshot.uptime_s = 60.0;
        assert!(text(&snapshot).starts_with("none: nothing starves; 0 in flight"));
        snapshot.findings.push(Finding {
            cause: "listen_queue".to_owned(),
            endpoint: Some("image".to_owned()),
            says: "port 80 does not accept\x1b[2J".to_owned(),
            evidence: vec![("length".to_owned(), 129.0), ("limit".to_owned(), 128.5)],
            since_s: 12.4,
        });
        let expected = "listen_queue (image, for 12 s): port 80 does not accept\u{fffd}[2J\n  \
                        length = 129\n  limit = 128.5\n";
        assert_eq!(text(&snapshot), expected);
    }
}
