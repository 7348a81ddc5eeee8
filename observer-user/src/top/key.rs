//! Keys, as they are meant.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Left,
    Right,
    Enter,
    Escape,
    Next,
    Former,
    Backspace,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-L.
    Redraw,
    /// Ctrl-U.
    Clear,
}

/// `None` for what means nothing.
pub(super) fn logical(event: &KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    if let (true, KeyCode::Char(character)) = (control, event.code) {
        return controlled(character);
    }
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "keys that mean nothing here are most"
    )]
    match event.code {
        KeyCode::Char(character) => Some(Key::Char(character)),
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        KeyCode::PageUp => Some(Key::PageUp),
        KeyCode::PageDown => Some(Key::PageDown),
        KeyCode::Home => Some(Key::Home),
        KeyCode::End => Some(Key::End),
        KeyCode::Left => Some(Key::Left),
        KeyCode::Right => Some(Key::Right),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Esc => Some(Key::Escape),
        KeyCode::Tab => Some(Key::Next),
        KeyCode::BackTab => Some(Key::Former),
        KeyCode::Backspace => Some(Key::Backspace),
        _ => None,
    }
}

fn controlled(character: char) -> Option<Key> {
    match character {
        'c' => Some(Key::Interrupt),
        'z' => Some(Key::Suspend),
        'l' => Some(Key::Redraw),
        'u' => Some(Key::Clear),
        'h' => Some(Key::Backspace),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_it_means() {
        for (code, modifiers, key) in [
            (KeyCode::Char('q'), KeyModifiers::NONE, Some(Key::Char('q'))),
            (
                KeyCode::Char('c'),
                KeyModifiers::CONTROL,
                Some(Key::Interrupt),
            ),
            (
                KeyCode::Char('z'),
                KeyModifiers::CONTROL,
                Some(Key::Suspend),
            ),
            (KeyCode::Char('x'), KeyModifiers::CONTROL, None),
            (KeyCode::BackTab, KeyModifiers::SHIFT, Some(Key::Former)),
            (KeyCode::F(1), KeyModifiers::NONE, None),
        ] {
            assert_eq!(logical(&KeyEvent::new(code, modifiers)), key, "{code:?}");
        }
    }
}
