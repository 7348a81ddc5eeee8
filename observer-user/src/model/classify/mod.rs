//! Which endpoint and which boot stage a request belongs to.
//!
//! A target is normalised once, then matched: the built-in stage rules always, and the rules of
//! the active profile unless those are the same. Under both, the first rule that holds decides.
//!
//! Invariants: total and deterministic, for any bytes; the endpoint is one of the profile's, at
//! most [`MAX_ENDPOINTS`], whatever the traffic; nothing is allocated while classifying.

mod automaton;
mod bits;
mod compiled;
mod document;
mod error;
pub mod escape;
mod matcher;
mod normalise;
mod profile;
#[cfg(test)]
mod profile_tests;
#[cfg(test)]
mod properties;
mod regexes;
mod rule_id;
mod shape;
mod stage;
mod subject;
#[cfg(test)]
mod table_tests;

use std::sync::Arc;

use compiled::Compiled;
pub use error::{RulesError, TooManyEndpoints};
use normalise::{ROOM, normalise};
pub use rule_id::RuleId;
pub use stage::Stage;
pub use subject::{Access, Proto, Subject};

/// The rules of the `generic` profile, which also decide the stage under every profile.
pub const GENERIC: &str = include_str!("profiles/generic.toml");
/// The rules of the `dragonfly` profile.
pub const DRAGONFLY: &str = include_str!("profiles/dragonfly.toml");

/// Endpoints of one profile, `other` included.
pub const MAX_ENDPOINTS: usize = 32;

/// Targets no longer than this are normalised in a small buffer: to zero one takes time.
const ORDINARY: usize = 256;

/// An endpoint of the active profile: an index below [`MAX_ENDPOINTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint(u8);

impl Endpoint {
    fn last(names: &[Arc<str>]) -> Self {
        let last = names.len().saturating_sub(1);
        debug_assert!(last < MAX_ENDPOINTS, "a profile has no more");
        Self(u8::try_from(last).unwrap_or_default())
    }

    #[cfg(test)]
    pub(crate) fn at(index: usize) -> Self {
        Self(u8::try_from(index).expect("few"))
    }

    /// Into [`Classifier::endpoints`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// What a request was classified as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Class {
    /// By the active profile.
    pub endpoint: Endpoint,
    /// By the rule that decided the endpoint if it sets one, else by the built-in rules.
    pub stage: Stage,
    /// The rule that decided the endpoint.
    pub rule: RuleId,
}

/// What no rule knows, of a small profile.
#[cfg(test)]
pub(crate) fn test_class() -> Class {
    Class {
        endpoint: Endpoint::at(3),
        stage: Stage::Other,
        rule: RuleId::UNMATCHED,
    }
}

/// Ordered rules, compiled.
#[derive(Clone, Debug)]
pub struct Classifier {
    generic: Compiled,
    /// `None`: the generic one, asked once for both.
    active: Option<Compiled>,
}

impl Classifier {
    /// The built-in stages as endpoints.
    #[must_use]
    pub fn generic() -> Self {
        Self {
            generic: built_in(GENERIC).with_stages(),
            active: None,
        }
    }

    /// The eight labels of a Dragonfly server, and `other`.
    #[must_use]
    pub fn dragonfly() -> Self {
        Self {
            generic: built_in(GENERIC).with_stages(),
            active: Some(built_in(DRAGONFLY)),
        }
    }

    /// A profile from the text of a rules file.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, and where.
    pub fn from_toml(text: &str) -> Result<Self, RulesError> {
        Ok(Self {
            active: Some(Compiled::parse(text)?),
            generic: built_in(GENERIC).with_stages(),
        })
    }

    /// The same rules in the place of others, whose endpoints keep their numbers.
    ///
    /// # Errors
    ///
    /// Old and new endpoints are more than there may be.
    pub fn succeeding(mut self, before: &Self) -> Result<Self, TooManyEndpoints> {
        let active = self.active.as_mut().unwrap_or(&mut self.generic);
        active.numbered_as(before.endpoints())?;
        Ok(self)
    }

    /// The class of a request.
    #[must_use]
    pub fn classify(&self, subject: Subject<'_>) -> Class {
        if subject.target.len() <= ORDINARY {
            self.classify_in(subject, &mut [0; ORDINARY])
        } else {
            self.classify_in(subject, &mut [0; ROOM])
        }
    }

    fn classify_in(&self, subject: Subject<'_>, room: &mut [u8]) -> Class {
        let target = match normalise(subject, room) {
            Ok(target) => target,
            Err(malformed) => {
                return Class {
                    endpoint: self.other(),
                    stage: Stage::Other,
                    rule: RuleId::malformed(malformed),
                };
            }
        };
        let Subject { proto, access, .. } = subject;
        let answer = self.active().answer(proto, access, &target);
        let stage = answer
            .stage
            .or_else(|| self.generic.answer(proto, access, &target).stage);
        Class {
            endpoint: answer.endpoint,
            stage: stage.unwrap_or(Stage::Other),
            rule: answer.rule,
        }
    }

    /// The names of the endpoints, by [`Endpoint::index`]; `other` is the last, unless these rules
    /// succeeded others.
    #[must_use]
    pub fn endpoints(&self) -> &[Arc<str>] {
        self.active().endpoints()
    }

    /// The endpoint of what no rule, or nothing trustworthy, was found for.
    #[must_use]
    pub fn other(&self) -> Endpoint {
        self.active().other()
    }

    /// The name of an endpoint of this classifier.
    #[must_use]
    pub fn endpoint_name(&self, endpoint: Endpoint) -> &str {
        self.endpoints()
            .get(endpoint.index())
            .map_or("other", |name| name)
    }

    /// The id of a rule of this classifier, or in parentheses why no rule decided.
    #[must_use]
    pub fn rule_name(&self, rule: RuleId) -> &str {
        match rule.number() {
            Ok(number) => self.active().id(number).unwrap_or_default(),
            Err(reason) => reason,
        }
    }

    fn active(&self) -> &Compiled {
        self.active.as_ref().unwrap_or(&self.generic)
    }
}

/// The built-in rules hold as every build's tests load them.
#[expect(clippy::expect_used, reason = "constant text that the tests compile")]
fn built_in(rules: &str) -> Compiled {
    Compiled::parse(rules).expect("a built-in profile is valid")
}
