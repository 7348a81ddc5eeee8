//! Lists: filtered, sorted, with one entry selected, as many lines of them as there is room for.

use ratatui::text::{Line, Span};

use super::{
    entry::Entry,
    state::{State, View},
    text::{self, Side},
    views,
};

/// A column of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Columns of the terminal; of the one that grows, at least.
    pub(super) width: usize,
    pub(super) side: Side,
    /// It takes what is left.
    pub(super) grows: bool,
    /// Where there is no room, those with the highest are left out first.
    pub(super) rank: u8,
}

impl Column {
    pub(super) const fn text(title: &'static str, width: usize, rank: u8) -> Self {
        Self {
            title,
            width,
            side: Side::Left,
            grows: false,
            rank,
        }
    }

    pub(super) const fn number(title: &'static str, width: usize, rank: u8) -> Self {
        let side = Side::Right;
        Self {
            side,
            ..Self::text(title, width, rank)
        }
    }

    pub(super) const fn growing(self) -> Self {
        Self {
            grows: true,
            ..self
        }
    }

    pub(super) fn is_number(&self) -> bool {
        self.side == Side::Right
    }
}

/// How a list is sorted, and what is selected of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sorting {
    pub(super) column: usize,
    pub(super) descends: bool,
    /// By its key; where that is gone, the one that is at its place.
    pub(super) selected: Option<String>,
    pub(super) at: usize,
}

impl Sorting {
    /// As it is at first.
    pub(super) fn of(view: View) -> Self {
        let (column, descends) = views::sorted_at_first(view);
        Self {
            column,
            descends,
            ..Self::default()
        }
    }

    pub(super) fn is_as_at_first(&self, view: View) -> bool {
        (self.column, self.descends) == views::sorted_at_first(view)
    }
}

/// Of a view.
pub(super) fn columns(view: View) -> &'static [Column] {
    views::columns(view)
}

/// What is to be seen, in order.
pub(super) fn entries(state: &State) -> Vec<Box<dyn Entry + '_>> {
    let mut entries = views::entries(state);
    if state.filter.pattern.is_some() {
        entries.retain(|entry| state.filter.takes(&entry.text()));
    }
    let sorting = state.sorting();
    entries.sort_by_cached_key(|entry| entry.order(sorting.column));
    if sorting.descends {
        entries.reverse();
    }
    if state.view == View::Transfers && sorting.is_as_at_first(state.view) {
        // What stands still is what one looks for.
        entries.sort_by_key(|entry| !entry.alarms());
    }
    entries
}

/// Their keys.
pub(super) fn keys(state: &State) -> Vec<String> {
    entries(state).iter().map(|entry| entry.key()).collect()
}

/// Where the selected one is.
pub(super) fn position(keys: &[String], sorting: &Sorting) -> usize {
    let known = sorting.selected.as_ref();
    let known = known.and_then(|selected| keys.iter().position(|key| key == selected));
    known.unwrap_or(sorting.at.min(keys.len().saturating_sub(1)))
}

/// Title and as many entries as fit around the selected one.
pub(super) fn lines(state: &State, width: usize, height: usize) -> Vec<Line<'static>> {
    let entries = entries(state);
    let columns = fitting(columns(state.view), width.saturating_sub(MARKS));
    let mut lines = vec![title(state, &columns)];
    if entries.is_empty() {
        lines.push(Line::from(text::fit(nothing(state), width, Side::Left)));
        lines.truncate(height);
        return lines;
    }
    let keys: Vec<String> = entries.iter().map(|entry| entry.key()).collect();
    let at = position(&keys, state.sorting());
    let room = height.saturating_sub(1);
    let first = at
        .saturating_sub(room / 2)
        .min(entries.len().saturating_sub(room));
    let shown = entries.iter().enumerate().skip(first).take(room);
    lines.extend(shown.map(|(index, entry)| line(state, entry.as_ref(), &columns, index == at)));
    lines.truncate(height);
    lines
}

/// Before each line: whether it is selected, and whether something is wrong.
const MARKS: usize = 2;

/// Columns with their numbers and widths, as far as there is room.
fn fitting(columns: &'static [Column], room: usize) -> Vec<(usize, Column)> {
    let mut taken: Vec<(usize, Column)> = columns.iter().copied().enumerate().collect();
    let needed =
        |taken: &[(usize, Column)]| taken.iter().map(|(_, one)| one.width + 1).sum::<usize>();
    while needed(&taken) > room + 1 && taken.len() > 1 {
        let most = taken.iter().map(|(_, column)| column.rank).max();
        if let Some(at) = taken
            .iter()
            .rposition(|(_, column)| Some(column.rank) == most)
        {
            taken.remove(at);
        }
    }
    let left = (room + 1).saturating_sub(needed(&taken));
    for (_, column) in &mut taken {
        let grown = if column.grows {
            column.width + left
        } else {
            column.width
        };
        column.width = grown.min(room);
    }
    taken
}

fn title(state: &State, columns: &[(usize, Column)]) -> Line<'static> {
    let sorting = state.sorting();
    let cells = columns.iter().map(|(index, column)| {
        let marker = match (*index == sorting.column, sorting.descends) {
            (false, _) => "",
            (true, true) => "▼",
            (true, false) => "▲",
        };
        text::fit(
            &format!("{}{marker}", column.title),
            column.width,
            column.side,
        )
    });
    let cells: Vec<String> = cells.collect();
    let text = format!("{:MARKS$}{}", "", cells.join(" "));
    Line::from(Span::styled(text, state.theme().title()))
}

fn line(
    state: &State,
    entry: &dyn Entry,
    columns: &[(usize, Column)],
    is_selected: bool,
) -> Line<'static> {
    let cells = columns
        .iter()
        .map(|(index, column)| text::fit(&entry.cell(*index), column.width, column.side));
    let cells: Vec<String> = cells.collect();
    let alarms = entry.alarms();
    let marks = [
        if is_selected { ">" } else { " " },
        if alarms { "!" } else { " " },
    ];
    let style = state.theme().line(alarms, is_selected);
    Line::from(Span::styled(marks.concat() + &cells.join(" "), style))
}

fn nothing(state: &State) -> &'static str {
    if state.filter.pattern.is_some() {
        "  nothing matches the filter (Esc clears it)"
    } else {
        views::nothing(state.view)
    }
}
