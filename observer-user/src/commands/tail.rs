//! `pxe-observer tail`: what ends, line by line.

use std::{io, net::IpAddr, process::ExitCode};

use anyhow::bail;

use super::{Streams, text::printable};
use crate::live::{
    client::{Client, SocketArgs},
    message::{Ended, Filter, Message, Recent, Request},
};

/// Say what ends, as it ends, of a running observer
///
/// Lines of: time (UTC), client, protocol, endpoint, method, outcome, status, seconds, bytes, path.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only what failed: cut short, or with a status of 400 and above
    #[arg(long)]
    failed: bool,
    /// Only what this client asked for
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    /// Only what was counted as this endpoint
    #[arg(long)]
    endpoint: Option<String>,
    /// Of what has ended already, the last so many; no more than 1,024 are known
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    last: usize,
    /// End behind those, instead of waiting for more
    #[arg(long)]
    no_follow: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Where it runs.
    #[command(flatten)]
    socket: SocketArgs,
}

impl Args {
    fn request(&self) -> Request {
        Request::Recent {
            filter: Filter {
                failed: self.failed,
                client: self.client.map(|client| client.to_canonical()),
                endpoint: self.endpoint.clone(),
            },
            last: self.last,
            follow: !self.no_follow,
        }
    }
}

/// Runs the command until the observer ends.
///
/// # Errors
///
/// No observer, or nothing can be written.
pub fn run(args: &Args, streams: &mut Streams<'_>) -> anyhow::Result<ExitCode> {
    let mut client = Client::ask(&args.socket.live_socket, &args.request())?;
    client.patience(None)?;
    while let Some(message) = client.hear()? {
        let Message::Recent(recent) = message else {
            bail!("the observer says something else than was asked for");
        };
        print(args, &recent, streams)?;
        if args.no_follow {
            return Ok(ExitCode::SUCCESS);
        }
    }
    if !args.no_follow {
        writeln!(streams.err, "the observer has ended")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(args: &Args, recent: &Recent, streams: &mut Streams<'_>) -> io::Result<()> {
    if recent.missed != 0 {
        let missed = recent.missed;
        writeln!(streams.err, "{missed} ended unseen: they came too fast")?;
    }
    for ended in &recent.ended {
        if args.json {
            serde_json::to_writer(&mut streams.out, ended)?;
            writeln!(streams.out)?;
        } else {
            writeln!(streams.out, "{}", line(ended))?;
        }
    }
    streams.out.flush()
}

fn line(ended: &Ended) -> String {
    let status = match ended.status {
        Some(status) => status.to_string(),
        None => "-".to_owned(),
    };
    let cut = if ended.path_cut { "..." } else { "" };
    format!(
        "{} {} {} {} {} {} {status} {:.3} {} {}{cut}",
        clock(ended.at_s),
        ended.client,
        ended.protocol,
        printable(&ended.endpoint),
        printable(&ended.method),
        printable(&ended.outcome).replace(' ', "_"),
        ended.duration_s,
        ended.bytes,
        printable(&ended.path)
    )
}

/// The time of day, UTC.
pub fn clock(at_s: f64) -> String {
    let day = at_s.rem_euclid(86_400.0);
    let (hours, minutes) = ((day / 3_600.0).floor(), (day / 60.0).floor() % 60.0);
    format!(
        "{hours:02.0}:{minutes:02.0}:{:06.3}",
        (day % 60.0 * 1_000.0).floor() / 1_000.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_a_line() {
        let ended = Ended {
            number: 7,
            at_s: 86_400.0 + 3_661.25,
            protocol: "http".into(),
            client: IpAddr::from([10, 0, 0, 9]),
            client_port: 40_000,
            endpoint: "image".to_owned(),
            stage: "image".into(),
            method: "GET".into(),
            path: "/a\x1b[2J\nb".to_owned(),
            path_cut: true,
            status: Some(200),
            outcome: "aborted by client".into(),
            failed: true,
            duration_s: 1.5,
            phases: Default::default(),
            bytes: 1_000,
            retransmits: None,
        };
        assert_eq!(
            line(&ended),
            "01:01:01.250 10.0.0.9 http image GET aborted_by_client 200 1.500 1000 \
             /a\u{fffd}[2J\u{fffd}b..."
        );
    }
}
