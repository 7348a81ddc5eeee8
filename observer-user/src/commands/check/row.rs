//! A row: what was looked at, how it is, and what to do.

use std::fmt;

use serde::Serialize;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    /// We do without.
    Missing,
    /// We do not run.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) state: State,
    pub(super) said: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

impl Row {
    pub(super) fn ok(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            state: State::Ok,
            said: said.into(),
            fix: None,
        }
    }

    pub(super) fn missing(
        what: impl Into<String>,
        said: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Missing,
            fix: Some(fix.into()),
            ..Self::ok(what, said)
        }
    }

    pub(super) fn failed(
        what: impl Into<String>,
        said: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Failed,
            fix: Some(fix.into()),
            ..Self::ok(what, said)
        }
    }
}

/// Two lines where there is something to do.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Missing => "missing",
            State::Failed => "FAILED",
        };
        let Self { what, said, .. } = self;
        writeln!(f, "{state:<8}{what:<18}{said}")?;
        match &self.fix {
            Some(fix) => writeln!(f, "{:<26}-> {fix}", ""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_to_do() {
        let row = Row::failed("cgroup2", "none", "mount it");
        let text = "FAILED  cgroup2           none\n                          -> mount it\n";
        assert_eq!(row.to_string(), text);
        let json = serde_json::to_string(&Row::ok("kernel", "Linux")).expect("JSON");
        assert_eq!(json, r#"{"what":"kernel","state":"ok","said":"Linux"}"#);
    }
}
