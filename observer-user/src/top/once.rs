//! One snapshot, printed.

use std::{path::Path, process::ExitCode};

use anyhow::{Result, bail};

use super::{
    list,
    news::News,
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
/// Lines of what is under way.
const LINES: usize = 1_000;

pub(super) fn run(socket: &Path, json: bool, streams: &mut Streams<'_>) -> Result<ExitCode> {
    let Message::Snapshot(snapshot) = Client::once(socket, &Request::Snapshot)? else {
        bail!("the observer says something else than was asked for");
    };
    if json {
        serde_json::to_writer(&mut streams.out, &snapshot)?;
        writeln!(streams.out)?;
    } else {
        streams.out.write_all(text(snapshot).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(snapshot: Box<Snapshot>) -> String {
    let mut state = State::new(1_000, false);
    state.on_news(News::Snapshot(snapshot));
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
