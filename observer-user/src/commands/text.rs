//! What others wrote, for a terminal.

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
}
