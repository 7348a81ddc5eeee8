//! What others wrote, and what was measured, for a terminal.

/// Without what a terminal would obey or show as it likes: control characters, those that turn the
/// direction of text (Unicode TR 9), and those that join or vary others are replaced.
pub fn printable(text: &str) -> String {
    let replaced = |character: char| match character {
        '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e01ef}' => true,
        _ => character.is_control(),
    };
    let safe = |character| match replaced(character) {
        true => char::REPLACEMENT_CHARACTER,
        false => character,
    };
    text.chars().map(safe).collect()
}

/// A number that was measured: whole where it is large, else three places of it.
pub fn figure(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 1_000.0 {
        return format!("{value:.0}");
    }
    let places = format!("{value:.3}");
    places
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        for (text, expected) in [
            ("/a b/\u{e4}\u{4e2d}", "/a b/\u{e4}\u{4e2d}"),
            ("\x1b]0;x\x07", "\u{fffd}]0;x\u{fffd}"),
            ("a\r\nb\tc", "a\u{fffd}\u{fffd}b\u{fffd}c"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("a\u{202e}b", "a\u{fffd}b"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }

    #[test]
    fn a_figure_has_as_many_places_as_it_takes() {
        for (value, text) in [
            (0.0, "0"),
            (-3.0, "-3"),
            (128.5, "128.5"),
            (0.654_691_567, "0.655"),
            (0.000_1, "0"),
            (472_015.927, "472016"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(figure(value), text);
        }
    }
}
