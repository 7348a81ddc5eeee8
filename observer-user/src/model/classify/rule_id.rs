//! What decided a request's endpoint.

use super::normalise::Malformed;

/// The rule that decided, or why none did; [`super::Classifier::rule_name`] has its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleId(Decided);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Decided {
    Rule(u8),
    Malformed(Malformed),
    Unmatched,
}

impl RuleId {
    pub(super) const UNMATCHED: Self = Self(Decided::Unmatched);

    pub(super) fn numbered(rule: u8) -> Self {
        Self(Decided::Rule(rule))
    }

    pub(super) fn malformed(why: Malformed) -> Self {
        Self(Decided::Malformed(why))
    }

    /// The rule's number, or the reason that there is none: in parentheses, as no rule's id is.
    pub(super) fn number(self) -> Result<u8, &'static str> {
        match self.0 {
            Decided::Rule(number) => Ok(number),
            Decided::Malformed(Malformed::Method) => Err("(method)"),
            Decided::Malformed(Malformed::Asterisk) => Err("(asterisk)"),
            Decided::Malformed(Malformed::TooLong) => Err("(too_long)"),
            Decided::Malformed(Malformed::ControlByte) => Err("(control_byte)"),
            Decided::Malformed(Malformed::EmptyName) => Err("(empty_name)"),
            Decided::Unmatched => Err("(unmatched)"),
        }
    }
}
