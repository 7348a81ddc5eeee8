//! A value, and who said it.

use std::fmt;

/// Who said a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File,
    Flag,
}

/// A value and its origin.
#[derive(Clone, Debug)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

impl<T> Setting<T> {
    /// A flag wins, then the file.
    pub(super) fn first(flag: Option<T>, file: Option<T>, default: T) -> Self {
        let (value, origin) = match (flag, file) {
            (Some(value), _) => (value, Origin::Flag),
            (None, Some(value)) => (value, Origin::File),
            (None, None) => (default, Origin::Default),
        };
        Self { value, origin }
    }
}

/// How a person finds what was said: the flag, or the key of the file.
pub(super) struct Said<'a>(pub(super) Origin, pub(super) &'a str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(origin, key) = self;
        match origin {
            Origin::Flag if *key == "web_listen_address" => f.write_str("--web.listen-address"),
            Origin::Flag => write!(f, "--{}", key.replace('_', "-")),
            Origin::Default | Origin::File => f.write_str(key),
        }
    }
}
