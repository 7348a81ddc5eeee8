//! The rules file as it is written: TOML, one `[[rule]]` after the other.

use serde::Deserialize;
use toml::Spanned;

use super::{
    error::RulesError,
    stage::Stage,
    subject::{Access, Proto},
};

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) rule: Vec<RuleText>,
}

/// One rule; what is absent is no condition.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    pub(super) id: Spanned<String>,
    pub(super) proto: Option<Proto>,
    pub(super) access: Option<AccessText>,
    pub(super) path: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) query: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) file_only: bool,
    pub(super) endpoint: Spanned<String>,
    pub(super) stage: Option<Stage>,
}

/// The accesses a rule can ask for: a request with any other gets no further than `other`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AccessText {
    Read,
    Write,
}

impl Document {
    pub(super) fn parse(text: &str) -> Result<Self, RulesError> {
        toml::from_str(text).map_err(|error| {
            let place = error.span().unwrap_or_default();
            RulesError::new(text, place, error.message())
        })
    }
}

impl From<AccessText> for Access {
    fn from(access: AccessText) -> Self {
        match access {
            AccessText::Read => Self::Read,
            AccessText::Write => Self::Write,
        }
    }
}
