//! Where in a text a regex can match, which is how it is best looked for.
//!
//! One automaton of all regexes has a state for every combination of half-matches: 5.7 MB and
//! 1.9 s for the built-in rules. Apart by shape they take 1 MB and 35 ms, and most walks end
//! after a few bytes.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Where a regex can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// At the start: looked for forwards, given up at the first byte that does not fit.
    Start,
    /// At the end, not across any number of segments: looked for backwards, given up early too.
    End,
    /// Anywhere: looked for backwards in the whole text. (Forwards, `(^|/)pxelinux\.cfg(/.*)?$`
    /// and its like would stay half-matched to the end, in every combination.)
    Anywhere,
}

impl Shape {
    pub(super) const ALL: [Self; 3] = [Self::Start, Self::End, Self::Anywhere];

    pub(super) fn of(regex: &Hir) -> Self {
        let properties = regex.properties();
        if properties.look_set_prefix().contains(Look::Start) {
            Self::Start
        } else if properties.look_set_suffix().contains(Look::End) && !crosses_segments(regex) {
            Self::End
        } else {
            Self::Anywhere
        }
    }
}

/// Whether any number of `/` can stand in a match.
fn crosses_segments(regex: &Hir) -> bool {
    match regex.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => false,
        HirKind::Repetition(repetition) => {
            (repetition.max.is_none() && has_slash(&repetition.sub))
                || crosses_segments(&repetition.sub)
        }
        HirKind::Capture(capture) => crosses_segments(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(crosses_segments),
    }
}

/// Whether a `/` can stand in a match.
fn has_slash(regex: &Hir) -> bool {
    match regex.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&b'/'),
        HirKind::Class(Class::Bytes(class)) => {
            let mut ranges = class.ranges().iter();
            ranges.any(|range| (range.start()..=range.end()).contains(&b'/'))
        }
        HirKind::Class(Class::Unicode(class)) => {
            let mut ranges = class.ranges().iter();
            ranges.any(|range| (range.start()..=range.end()).contains(&'/'))
        }
        HirKind::Repetition(repetition) => has_slash(&repetition.sub),
        HirKind::Capture(capture) => has_slash(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(has_slash),
    }
}
