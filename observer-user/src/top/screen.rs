//! The whole screen: what is said on top, one view, and what can be typed.

use std::time::Duration;

use ratatui::{
    Frame,
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{
    state::{Connection, State, View},
    text::{self, Side},
    views,
};
use crate::live::message::{Endpoint, Snapshot};

/// Without a word of the observer for so many intervals, and seconds, it is said.
const SILENT_S: u64 = 3;
/// The last line is not the view's.
const BELOW: usize = 1;

/// Draws it.
pub(super) fn view(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    let lines = lines(state, area.width.into(), area.height.into());
    frame.render_widget(Paragraph::new(lines), area);
}

/// All of it, line by line.
pub(super) fn lines(state: &State, width: usize, height: usize) -> Vec<Line<'static>> {
    let mut lines = vec![said(state, width)];
    lines.extend(state.note.map(|note| self::note(state, note, width)));
    lines.push(tabs(state, width));
    let room = height.saturating_sub(lines.len() + BELOW);
    let mut body = if state.help {
        views::help(width)
    } else {
        views::body(state, width, room)
    };
    body.resize(room, Line::default());
    lines.extend(body);
    lines.push(typed(state, width));
    lines.truncate(height);
    lines
}

/// Styles that read on light and dark backgrounds, and say nothing that is not said in words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    colour: bool,
}

impl Theme {
    fn coloured(self, colour: Color) -> Style {
        match self.colour {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn alarm(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn note(self) -> Style {
        self.coloured(Color::Yellow)
    }

    pub(super) fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    pub(super) fn line(self, alarms: bool, is_selected: bool) -> Style {
        let style = if alarms { self.alarm() } else { Style::new() };
        match is_selected {
            true => style.add_modifier(Modifier::REVERSED),
            false => style,
        }
    }
}

impl State {
    pub(super) fn theme(&self) -> Theme {
        Theme {
            colour: self.colour,
        }
    }
}

/// Who is looked at, and whether what is on the screen is how it is.
fn said(state: &State, width: usize) -> Line<'static> {
    let theme = state.theme();
    if let Connection::Lost(why) = &state.connection {
        let old = match state.snapshot {
            Some(_) => format!(" (this is {} old)", silence(state)),
            None => String::new(),
        };
        let text = format!("! no observer{old}, trying again: {why}");
        return Line::from(Span::styled(
            text::fit(&text, width, Side::Left),
            theme.alarm(),
        ));
    }
    let Some(snapshot) = &state.snapshot else {
        return Line::from(text::fit("waiting for the observer", width, Side::Left));
    };
    let warned = warned(state, snapshot);
    let held = match state.paused {
        true => "[PAUSED, space goes on] ",
        false => "",
    };
    let text = format!("{held}{warned}{}", summed(state, snapshot));
    let style = match warned.is_empty() {
        true => theme.title(),
        false => theme.alarm(),
    };
    Line::from(Span::styled(text::fit(&text, width, Side::Left), style))
}

/// That it is silent, and what starves where the view does not say so.
fn warned(state: &State, snapshot: &Snapshot) -> String {
    let silent_s = state.now.saturating_sub(state.heard).as_secs();
    let mut text = String::new();
    if silent_s >= SILENT_S.max(3 * state.interval_ms / 1_000) || !snapshot.healthy {
        text = format!("[no news for {}] ", silence(state));
    }
    if state.view != View::Overview && !snapshot.findings.is_empty() {
        let causes = snapshot.findings.iter().map(|one| one.cause.as_str());
        let causes: Vec<&str> = causes.collect();
        text += &format!("! {} (1 says more)  ", causes.join(", "));
    }
    text
}

fn summed(state: &State, snapshot: &Snapshot) -> String {
    let sum = |count: fn(&Endpoint) -> u64| {
        let all = snapshot.endpoints.iter().map(count);
        all.fold(0, u64::saturating_add)
    };
    format!(
        "{} in flight  {} waiting  {} stalled  {} ended  {} errors  every {}  up {}",
        sum(|one| one.in_flight),
        sum(|one| one.waiting),
        sum(|one| one.stalled),
        text::count(sum(|one| one.ended)),
        text::count(sum(|one| one.errors)),
        text::seconds(Duration::from_millis(state.interval_ms).as_secs_f64()),
        text::since(snapshot.uptime_s),
    )
}

fn note(state: &State, note: &str, width: usize) -> Line<'static> {
    let text = text::fit(note, width, Side::Left);
    Line::from(Span::styled(text, state.theme().note()))
}

fn silence(state: &State) -> String {
    text::since(state.now.saturating_sub(state.heard).as_secs_f64())
}

fn tabs(state: &State, width: usize) -> Line<'static> {
    let tab = |(number, view): (usize, View)| {
        let name = match width < 70 {
            true => view.name().get(..2).unwrap_or_default(),
            false => view.name(),
        };
        match view == state.view {
            true => format!("[{number} {name}]"),
            false => format!(" {number} {name} "),
        }
    };
    let tabs = (1..).zip(View::ALL).map(tab).collect::<String>();
    Line::from(text::fit(&tabs, width, Side::Left))
}

/// The filter, or what can be done.
fn typed(state: &State, width: usize) -> Line<'static> {
    let filter = &state.filter;
    let theme = state.theme();
    let (text, style) = match (&filter.error, filter.editing, filter.typed.is_empty()) {
        (Some(error), ..) => (format!("/{}  ! {error}", filter.typed), theme.alarm()),
        (None, true, _) => (format!("/{}_", filter.typed), theme.title()),
        (None, false, false) => (format!("/{}  (Esc clears)", filter.typed), theme.title()),
        (None, false, true) => {
            let keys =
                "q quit  ? help  / filter  <> sort  r reverse  Enter more  space hold  +- speed";
            (keys.to_owned(), Style::new())
        }
    };
    Line::from(Span::styled(text::fit(&text, width, Side::Left), style))
}
