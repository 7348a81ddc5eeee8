//! What is looked at, and how: changed by keys and news, and by nothing else.

use std::{collections::VecDeque, time::Duration};

use regex::{Regex, RegexBuilder};

use super::{
    key::Key,
    list::{self, Sorting},
    source::Wanted,
    trend::Trends,
};
use crate::live::message::{Ended, ROWS, Snapshot};

/// A pattern that is larger when compiled is refused.
const PATTERN_MAX: usize = 1 << 20;
/// Characters that a pattern has at most.
const TYPED_MAX: usize = 200;
/// Rows that are asked for as long as nobody wants to see others: some screens of them.
pub const FIRST_ROWS: usize = 500;
/// Milliseconds between snapshots that can be chosen.
const INTERVALS: [u64; 8] = [250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/// What there is to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Overview,
    Transfers,
    Recent,
    Clients,
    Servers,
    Probes,
}

impl View {
    pub(super) const ALL: [Self; 6] = [
        Self::Overview,
        Self::Transfers,
        Self::Recent,
        Self::Clients,
        Self::Servers,
        Self::Probes,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Transfers => "Transfers",
            Self::Recent => "Recent",
            Self::Clients => "Clients",
            Self::Servers => "Servers",
            Self::Probes => "Probes",
        }
    }

    /// So many further, around the end.
    fn step(self, by: usize) -> Self {
        let mut all = Self::ALL.into_iter().cycle();
        all.nth(self as usize + by).unwrap_or(self)
    }
}

/// What is to be done for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    None,
    Quit,
    /// Stop for now.
    Suspend,
    /// Nothing that is on the terminal is ours.
    Redraw,
}

/// Whether the observer answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// Not yet.
    Begun,
    Up,
    /// Not any more, and why.
    Lost(String),
}

/// What only some of is shown by.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) typed: String,
    pub(super) pattern: Option<Regex>,
    /// Why what is typed is no pattern.
    pub(super) error: Option<String>,
    /// It is being typed.
    pub(super) editing: bool,
}

/// All of it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) view: View,
    pub(super) snapshot: Option<Snapshot>,
    /// Oldest first.
    pub(super) ended: VecDeque<Ended>,
    pub(super) trends: Trends,
    pub(super) connection: Connection,
    /// What is to be known of who is looked at.
    pub(super) note: Option<&'static str>,
    pub(super) filter: Filter,
    pub(super) sortings: [Sorting; View::ALL.len()],
    pub(super) paused: bool,
    pub(super) help: bool,
    pub(super) detail: bool,
    pub(super) interval_ms: u64,
    pub(super) colour: bool,
    /// Lines that PgUp and PgDn go.
    pub(super) page: usize,
    /// Since the beginning.
    pub(super) now: Duration,
    /// When the observer was heard last.
    pub(super) heard: Duration,
}

impl State {
    pub(super) fn new(interval_ms: u64, colour: bool) -> Self {
        Self {
            view: View::Overview,
            snapshot: None,
            ended: VecDeque::new(),
            trends: Trends::default(),
            connection: Connection::Begun,
            note: None,
            filter: Filter::default(),
            sortings: View::ALL.map(Sorting::of),
            paused: false,
            help: false,
            detail: false,
            interval_ms,
            colour,
            page: 10,
            now: Duration::ZERO,
            heard: Duration::ZERO,
        }
    }

    /// There is one for each view.
    pub(super) fn sorting(&self) -> &Sorting {
        &self.sortings[self.view as usize]
    }

    fn sorting_mut(&mut self) -> &mut Sorting {
        &mut self.sortings[self.view as usize]
    }

    /// What it needs: all rows only where those that come first are not enough.
    pub(super) fn wanted(&self) -> Wanted {
        let sorting = self.sorting();
        let needs_all = match self.view {
            View::Transfers => {
                let is_near_end = sorting.at + self.page >= FIRST_ROWS;
                is_near_end || self.filter.pattern.is_some() || !sorting.is_as_at_first(self.view)
            }
            View::Clients => true,
            View::Overview | View::Recent | View::Servers | View::Probes => false,
        };
        Wanted {
            interval_ms: self.interval_ms,
            rows: if needs_all { ROWS } else { FIRST_ROWS },
        }
    }

    /// Takes a key.
    pub(super) fn on_key(&mut self, key: Key) -> Action {
        match key {
            Key::Interrupt => return Action::Quit,
            Key::Suspend => return Action::Suspend,
            Key::Redraw => return Action::Redraw,
            _ if self.filter.editing => self.filter.on_key(key),
            _ if self.help => self.help = false,
            Key::Char('q') => return Action::Quit,
            Key::Char(character) => self.on_char(character),
            Key::Next => self.view = self.view.step(1),
            Key::Former => self.view = self.view.step(View::ALL.len() - 1),
            Key::Left => self.sort_by(|sort, columns| (sort + columns - 1) % columns),
            Key::Right => self.sort_by(|sort, columns| (sort + 1) % columns),
            Key::Enter => self.detail = !self.detail,
            Key::Escape => self.escape(),
            Key::Clear => self.filter = Filter::default(),
            Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::Home | Key::End => {
                self.select(key);
            }
            Key::Backspace => {}
        }
        Action::None
    }

    fn on_char(&mut self, character: char) {
        match character {
            '?' | 'h' => self.help = true,
            '/' => self.filter.editing = true,
            ' ' => self.paused = !self.paused,
            'j' => self.select(Key::Down),
            'k' => self.select(Key::Up),
            '+' | '=' => self.set_interval(false),
            '-' => self.set_interval(true),
            'g' => self.select(Key::Home),
            'G' => self.select(Key::End),
            '<' => self.sort_by(|sort, columns| (sort + columns - 1) % columns),
            '>' => self.sort_by(|sort, columns| (sort + 1) % columns),
            'r' => {
                let sorting = self.sorting_mut();
                sorting.descends = !sorting.descends;
            }
            _ => {
                let number = character
                    .to_digit(10)
                    .and_then(|digit| digit.checked_sub(1));
                let view = number.and_then(|number| View::ALL.get(number as usize));
                self.view = view.copied().unwrap_or(self.view);
            }
        }
    }

    fn escape(&mut self) {
        if self.detail {
            self.detail = false;
        } else {
            self.filter = Filter::default();
        }
    }

    fn set_interval(&mut self, longer: bool) {
        let mut all = INTERVALS.into_iter();
        let next = if longer {
            all.find(|ms| *ms > self.interval_ms)
        } else {
            all.rfind(|ms| *ms < self.interval_ms)
        };
        self.interval_ms = next.unwrap_or(self.interval_ms);
    }

    fn sort_by(&mut self, next: impl Fn(usize, usize) -> usize) {
        let columns = list::columns(self.view);
        let sorting = self.sorting_mut();
        sorting.column = next(sorting.column, columns.len().max(1));
        // Names from A on, numbers from the largest.
        sorting.descends = columns
            .get(sorting.column)
            .is_some_and(list::Column::is_number);
    }

    fn select(&mut self, key: Key) {
        let keys = list::keys(self);
        let at = list::position(&keys, self.sorting());
        let page = self.page.max(1);
        let last = keys.len().saturating_sub(1);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "only keys that move come here"
        )]
        let at = match key {
            Key::Up => at.saturating_sub(1),
            Key::Down => at.saturating_add(1),
            Key::PageUp => at.saturating_sub(page),
            Key::PageDown => at.saturating_add(page),
            Key::Home => 0,
            _ => last,
        };
        let at = at.min(last);
        let selected = keys.get(at).cloned();
        let sorting = self.sorting_mut();
        (sorting.at, sorting.selected) = (at, selected);
    }
}

impl Filter {
    /// While it is typed.
    fn on_key(&mut self, key: Key) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "others do nothing while it is typed"
        )]
        match key {
            Key::Char(character) if self.typed.chars().count() < TYPED_MAX => {
                self.typed.push(character);
            }
            Key::Backspace => drop(self.typed.pop()),
            Key::Clear => self.typed.clear(),
            Key::Enter => self.editing = false,
            Key::Escape => *self = Self::default(),
            _ => return,
        }
        self.compile();
    }

    /// What is no pattern leaves the one before.
    fn compile(&mut self) {
        if self.typed.is_empty() {
            (self.pattern, self.error) = (None, None);
            return;
        }
        let mut pattern = RegexBuilder::new(&self.typed);
        match pattern
            .case_insensitive(true)
            .size_limit(PATTERN_MAX)
            .build()
        {
            Ok(pattern) => (self.pattern, self.error) = (Some(pattern), None),
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                self.error = Some(last.trim_start_matches("error: ").to_owned());
            }
        }
    }

    pub(super) fn takes(&self, text: &str) -> bool {
        self.pattern
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(text))
    }
}
