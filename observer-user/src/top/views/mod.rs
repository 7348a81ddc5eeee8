//! What there is to look at: of each view its columns, its entries, and what stands around them.

mod clients;
mod detail;
mod overview;
mod probes;
mod recent;
mod servers;
mod transfers;

use ratatui::text::Line;

use super::{
    entry::Entry,
    list::{self, Column},
    state::{State, View},
    text::{self, Side},
};

/// Lines that a list keeps, whatever stands around it.
const LIST_MIN: usize = 4;

pub(super) fn columns(view: View) -> &'static [Column] {
    match view {
        View::Overview => &overview::COLUMNS,
        View::Transfers => &transfers::COLUMNS,
        View::Recent => &recent::COLUMNS,
        View::Clients => &clients::COLUMNS,
        View::Servers => &servers::COLUMNS,
        View::Probes => &probes::COLUMNS,
    }
}

/// The column, and whether the largest is first.
pub(super) fn sorted_at_first(view: View) -> (usize, bool) {
    match view {
        View::Overview => (overview::IN_FLIGHT, true),
        View::Transfers => (transfers::AGE, true),
        View::Recent => (recent::TIME, true),
        View::Clients => (clients::AGE, false),
        View::Servers => (servers::EXCHANGES, true),
        View::Probes => (probes::NAME, false),
    }
}

/// In no order.
pub(super) fn entries(state: &State) -> Vec<Box<dyn Entry + '_>> {
    match state.view {
        View::Overview => overview::entries(state),
        View::Transfers => transfers::entries(state),
        View::Recent => recent::entries(state),
        View::Clients => clients::entries(state),
        View::Servers => servers::entries(state),
        View::Probes => probes::entries(state),
    }
}

/// What is said of a list that has no entries.
pub(super) fn nothing(view: View) -> &'static str {
    match view {
        View::Overview => "  nothing was asked for yet",
        View::Transfers => "  nothing is under way",
        View::Recent => "  nothing has ended yet",
        View::Clients => "  nobody has asked for anything yet",
        View::Servers => "  this observer does not say what servers do",
        View::Probes => "  no probes are known",
    }
}

/// Everything between the tabs and the last line.
pub(super) fn body(state: &State, width: usize, height: usize) -> Vec<Line<'static>> {
    let around = height.saturating_sub(LIST_MIN);
    let (mut above, mut below) = match state.view {
        View::Overview => (
            overview::findings(state, width),
            overview::queues(state, width),
        ),
        View::Transfers => (transfers::left_out(state, width), Vec::new()),
        View::Recent | View::Clients | View::Servers | View::Probes => (Vec::new(), Vec::new()),
    };
    if state.detail {
        below = detail::lines(state, width);
    }
    above.truncate(around);
    below.truncate(around - above.len());
    let room = height - above.len() - below.len();
    let mut lines = above;
    let mut list = list::lines(state, width, room);
    list.resize(room, Line::default());
    lines.append(&mut list);
    lines.append(&mut below);
    lines
}

/// What keys do.
pub(super) fn help(width: usize) -> Vec<Line<'static>> {
    let lines = [
        "1 to 6, Tab, Shift-Tab   which view",
        "arrows, j k, PgUp, PgDn, Home, End, g G   which line",
        "Enter   more of the line: exact values, and where its time went",
        "< > left right   sort by another column;  r   the other way around",
        "/   only lines that match a regular expression: client, endpoint, path;  Esc   all again",
        "space   hold the picture;  + -   more or less often",
        "Ctrl-Z   stop for now;  Ctrl-L   draw anew;  q, Ctrl-C   quit",
        "",
        "> is the selected line, ! one with which something is wrong: it stands still, or failed.",
        "Transfers are sorted at first by whether they stand still, then by age.",
        "waits for: what sending waited for. server: it did not write; send_buffer: of the socket;",
        "client_window: the client did not read; path: the network, also at full speed.",
        "any key goes back",
    ];
    lines
        .map(|line| Line::from(text::fit(line, width, Side::Left)))
        .to_vec()
}
