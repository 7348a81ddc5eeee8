//! One snapshot, printed: the second, for rates are since the first.

use std::{process::ExitCode, time::Duration};

use anyhow::{Result, bail};

use super::{
    Args, list,
    news::News,
    observed::Observed,
    screen,
    state::{State, View},
    views,
};
use crate::{
    commands::Streams,
    live::{
        client::Client,
        message::{Message, Request, Snapshot},
    },
};

/// Columns, wherever it goes: no path is cut for them.
const WIDTH: usize = 220;
/// A snapshot that is so late does not come.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines of what is under way.
const LINES: usize = 1_000;

pub(super) fn run(args: &Args, streams: &mut Streams<'_>) -> Result<ExitCode> {
    let observed = Observed::find(args)?;
    if let Some(note) = observed.note {
        writeln!(streams.err, "{note}")?;
    }
    let mut client = Client::by(&observed.way, &Request::watch(args.interval))?;
    client.patience(Some(PATIENCE + Duration::from_millis(args.interval)))?;
    let (first, second) = (hear(&mut client)?, hear(&mut client)?);
    if args.json {
        serde_json::to_writer(&mut streams.out, &second)?;
        writeln!(streams.out)?;
    } else {
        let text = text(args.interval, [first, second]);
        streams.out.write_all(text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn hear(client: &mut Client) -> Result<Box<Snapshot>> {
    match client.hear()? {
        Some(Message::Snapshot(snapshot)) => Ok(snapshot),
        Some(_) => bail!("the observer says something else than was asked for"),
        None => bail!("the observer has ended"),
    }
}

/// The last one: rates are since the one before.
fn text(interval_ms: u64, snapshots: [Box<Snapshot>; 2]) -> String {
    let mut state = State::new(interval_ms, false);
    for snapshot in snapshots {
        state.on_news(News::Snapshot(snapshot));
    }
    let mut lines = screen::lines(&state, WIDTH, 1);
    let height = |state: &State| list::entries(state).len() + 1;
    let queues = 100;
    lines.extend(views::body(&state, WIDTH, height(&state) + queues));
    state.view = View::Transfers;
    lines.extend(list::lines(&state, WIDTH, height(&state).min(LINES)));
    let said = lines
        .iter()
        .map(|line| line.to_string().trim_end().to_owned() + "\n");
    said.filter(|line| line != "\n").collect()
}
