//! The beginning of a request's target, or of a file's name, as it was sent: bytes, of no known
//! encoding.
//!
//! It lies where it is kept: a request allocates nothing for it.

use std::{borrow::Cow, fmt};

/// Bytes that are kept.
pub const KEPT: usize = 96;

/// The first [`KEPT`] bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// Behind `len` they are 0.
    bytes: [u8; KEPT],
    len: u8,
    is_cut: bool,
}

impl Target {
    /// What fits of it.
    pub fn new(whole: &[u8]) -> Self {
        let mut target = Self::EMPTY;
        target.fill(whole);
        target
    }

    /// Nothing of anything.
    pub const EMPTY: Self = Self {
        bytes: [0; KEPT],
        len: 0,
        is_cut: false,
    };

    /// Where it was empty, takes what fits: in place, for a copy of what was just written waits
    /// until that is in the cache.
    pub fn fill(&mut self, whole: &[u8]) {
        let kept = whole.get(..KEPT).unwrap_or(whole);
        if let Some(room) = self.bytes.get_mut(..kept.len()) {
            room.copy_from_slice(kept);
        }
        self.len = u8::try_from(kept.len()).unwrap_or(u8::MAX);
        self.is_cut = kept.len() < whole.len();
    }

    /// What was kept.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }

    /// True if there was more.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What of it is UTF-8; the rest is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// Without a query (RFC 3986 3.4).
    #[must_use]
    pub fn path(&self) -> Self {
        let bytes = self.as_bytes();
        match bytes.iter().position(|byte| *byte == b'?') {
            Some(end) => Self::new(bytes.get(..end).unwrap_or_default()),
            None => *self,
        }
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.as_bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_and_says_so() {
        for (len, kept, is_cut) in [(0, 0, false), (KEPT, KEPT, false), (KEPT + 1, KEPT, true)] {
            let target = Target::new(&vec![b'x'; len]);
            assert_eq!((target.as_bytes().len(), target.is_cut()), (kept, is_cut));
        }
        assert_eq!(Target::new(b"/a\xff").text(), "/a\u{fffd}");
    }

    #[test]
    fn a_path_has_no_query() {
        for (target, path) in [("/a?b?c", "/a"), ("/a", "/a"), ("?", "")] {
            let found = Target::new(target.as_bytes()).path();
            assert_eq!(found, Target::new(path.as_bytes()), "{target}");
        }
    }
}
