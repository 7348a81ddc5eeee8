//! Text that fits: safe for a terminal, cut and padded to columns, numbers as people read them.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::commands::text::printable;

/// What stands for what was cut.
const CUT: &str = "…";

/// Which side of a column a text is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Columns that a safe text takes.
pub(super) fn width(text: &str) -> usize {
    text.graphemes(true).map(|grapheme| grapheme.width()).sum()
}

/// So many columns of it, neither more nor less, and nothing that a terminal would obey.
pub(super) fn fit(text: &str, columns: usize, side: Side) -> String {
    let text = cut(&printable(text), columns);
    let room = " ".repeat(columns.saturating_sub(width(&text)));
    match side {
        Side::Left => text + &room,
        Side::Right => room + &text,
    }
}

/// Lines of so many columns, broken between words, and no more of them than these: the last is cut.
pub(super) fn wrap(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in printable(text).split(' ') {
        let has_room = |line: &String| width(line) + 1 + width(word) <= columns;
        let is_last = lines.len() >= most;
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if is_last || has_room(line) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let fitted = lines.iter().map(|line| fit(line, columns, Side::Left));
    fitted.collect()
}

/// So many columns of it at most.
fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut left = columns.saturating_sub(1);
    for grapheme in text.graphemes(true) {
        match left.checked_sub(grapheme.width()) {
            Some(rest) => left = rest,
            None => break,
        }
        kept.push_str(grapheme);
    }
    if columns != 0 {
        kept.push_str(CUT);
    }
    kept
}

/// Bytes, or how many, by powers of 1,000: `1.5M`.
pub(super) fn count(count: u64) -> String {
    scaled(count as f64)
}

/// Bytes a second, by powers of 1,000 as links have them.
pub(super) fn rate(rate: f64) -> String {
    scaled(rate) + "/s"
}

/// How often a second.
pub(super) fn frequency(rate: f64) -> String {
    if rate > 0.0 && rate < 9.95 {
        format!("{rate:.1}/s")
    } else {
        scaled(rate) + "/s"
    }
}

fn scaled(value: f64) -> String {
    const STEP: f64 = 1_000.0;
    let mut value = if value.is_finite() {
        value.max(0.0)
    } else {
        0.0
    };
    let mut units = ["k", "M", "G", "T", "P", "E"].into_iter();
    let mut unit = "";
    while value >= STEP - 0.5 {
        let Some(next) = units.next() else { break };
        (value, unit) = (value / STEP, next);
    }
    match unit {
        "" => format!("{value:.0}"),
        _ if value < 9.95 => format!("{value:.1}{unit}"),
        _ => format!("{value:.0}{unit}"),
    }
}

/// Seconds as `350us`, `12ms`, `1.5s`, `4m05s`, `2h03m`, `3d04h`.
pub(super) fn seconds(seconds: f64) -> String {
    let seconds = if seconds.is_finite() {
        seconds.max(0.0)
    } else {
        0.0
    };
    let (minutes, hours) = ((seconds / 60.0).floor(), (seconds / 3_600.0).floor());
    if seconds == 0.0 {
        "0s".to_owned()
    } else if seconds < 0.0009995 {
        format!("{:.0}us", seconds * 1e6)
    } else if seconds < 0.9995 {
        format!("{:.0}ms", seconds * 1e3)
    } else if seconds < 59.95 {
        format!("{seconds:.1}s")
    } else if hours < 1.0 {
        format!("{minutes:.0}m{:02.0}s", (seconds % 60.0).floor())
    } else if hours < 48.0 {
        format!("{hours:.0}h{:02.0}m", minutes % 60.0)
    } else {
        format!("{:.0}d{:02.0}h", (hours / 24.0).floor(), hours % 24.0)
    }
}

/// How long something has been so: whole seconds.
pub(super) fn since(seconds: f64) -> String {
    let seconds = seconds.floor();
    match (0.0..60.0).contains(&seconds) {
        true => format!("{seconds:.0}s"),
        false => self::seconds(seconds),
    }
}

/// A part of so many cells, filled: `████▌   `, in characters that every font has.
pub(super) fn bar(part: f64, cells: usize) -> String {
    let part = if part.is_finite() {
        part.clamp(0.0, 1.0)
    } else {
        0.0
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to so many cells"
    )]
    let full = (part * cells as f64).round() as usize;
    "#".repeat(full) + &".".repeat(cells - full)
}

/// The latest of these, one cell each, as parts of the largest: `▁▃█`.
pub(super) fn spark(values: impl DoubleEndedIterator<Item = u64> + Clone, cells: usize) -> String {
    const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let latest = values.rev().take(cells);
    let most = latest.clone().max().unwrap_or(0).max(1);
    let level = |value: u64| {
        let at = usize::try_from(u128::from(value) * 7 / u128::from(most)).unwrap_or(0);
        LEVELS.get(at).copied().unwrap_or_default()
    };
    let mut drawn: Vec<&str> = latest.map(level).collect();
    drawn.reverse();
    " ".repeat(cells - drawn.len()) + &drawn.concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_fits() {
        for (text, columns, left) in [
            ("abc", 5, "abc  "),
            ("abcdef", 5, "abcd…"),
            ("abc", 0, ""),
            ("中中中", 5, "中中…"),
            ("中中中", 4, "中… "),
            ("e\u{301}x", 3, "e\u{301}x "),
            ("\x1b[2J", 6, "\u{fffd}[2J  "),
        ] {
            assert_eq!(fit(text, columns, Side::Left), left, "{text:?}");
        }
        assert_eq!(fit("7", 3, Side::Right), "  7");
    }

    #[test]
    fn a_sentence_is_broken_between_words() {
        for (text, columns, most, lines) in [
            ("ab cd ef", 5, 3, vec!["ab cd", "ef   "]),
            ("ab cd ef gh", 5, 2, vec!["ab cd", "ef gh"]),
            ("ab cd ef gh ij", 5, 2, vec!["ab cd", "ef g…"]),
            ("abcdefgh ij", 5, 2, vec!["abcd…", "ij   "]),
            ("ab  cd", 6, 2, vec!["ab  cd"]),
            ("", 2, 2, vec!["  "]),
        ] {
            assert_eq!(wrap(text, columns, most), lines, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_short() {
        for (found, text) in [
            (count(0), "0"),
            (count(999), "999"),
            (count(1_500), "1.5k"),
            (count(10_000_000), "10M"),
            (count(u64::MAX), "18E"),
            (rate(125_000_000.0), "125M/s"),
            (frequency(0.25), "0.2/s"),
            (frequency(f64::NAN), "0/s"),
            (seconds(0.0), "0s"),
            (seconds(0.000_35), "350us"),
            (seconds(0.0123), "12ms"),
            (seconds(1.5), "1.5s"),
            (seconds(59.96), "0m59s"),
            (seconds(245.0), "4m05s"),
            (seconds(7_380.0), "2h03m"),
            (seconds(273_600.0), "3d04h"),
            (since(0.9), "0s"),
            (since(59.9), "59s"),
            (since(60.0), "1m00s"),
            (since(f64::NAN), "0s"),
            (bar(0.5, 4), "##.."),
            (spark([0, 7, 14].into_iter(), 4), " ▁▄█"),
        ] {
            assert_eq!(found, text);
        }
    }

    proptest! {
        #[test]
        fn any_text_fits_and_is_safe(text in any::<String>(), columns in 0..40_usize) {
            for side in [Side::Left, Side::Right] {
                let fitted = fit(&text, columns, side);
                prop_assert_eq!(width(&fitted), columns);
                prop_assert!(!fitted.contains(char::is_control));
            }
            for line in wrap(&text, columns, 3) {
                prop_assert_eq!(width(&line), columns);
            }
        }
    }
}
