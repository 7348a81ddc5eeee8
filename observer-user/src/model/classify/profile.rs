//! A profile: ordered rules, checked as a whole.
//!
//! Invariant: what exists is complete. A profile with one bad rule is refused, with the place.

use std::{fmt, ops::Range, sync::Arc};

use regex_syntax::hir::Hir;
use toml::Spanned;

use super::{
    Endpoint, MAX_ENDPOINTS,
    automaton::TooLarge,
    bits::RuleSet,
    document::{Document, RuleText},
    error::RulesError,
    regexes::Regexes,
    stage::Stage,
    subject::{Access, Proto},
};

/// The endpoint that every profile has.
const OTHER: &str = "other";
/// Of an endpoint or a rule.
const MAX_NAME: usize = 64;

/// A checked profile.
pub(super) struct Profile {
    pub(super) rules: Vec<Rule>,
    /// In order of first use; `other` is last.
    pub(super) endpoints: Vec<Arc<str>>,
}

/// A checked rule: it holds when all of its conditions do.
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) proto: Option<Proto>,
    pub(super) access: Option<Access>,
    /// Any of these; `None` is any path.
    pub(super) path: Option<Vec<Hir>>,
    pub(super) query: Option<Hir>,
    /// Does not hold for a path that ended in `/`.
    pub(super) file_only: bool,
    /// Into [`Profile::endpoints`].
    pub(super) endpoint: Endpoint,
    pub(super) stage: Option<Stage>,
    /// Where it stands in the file.
    pub(super) place: Range<usize>,
}

impl Profile {
    /// Reads and checks a rules file.
    pub(super) fn parse(text: &str) -> Result<Self, RulesError> {
        let document = Document::parse(text)?;
        let check = Check { text };
        let endpoints = check.endpoints(&document.rule)?;
        let mut rules: Vec<Rule> = Vec::with_capacity(document.rule.len());
        for rule in document.rule {
            if rules.len() == usize::from(RuleSet::CAPACITY) {
                let what = format!("more than {} rules", RuleSet::CAPACITY);
                return Err(check.error(&rule.id, what));
            }
            if rules.iter().any(|earlier| earlier.id == *rule.id.get_ref()) {
                return Err(check.error(&rule.id, "an earlier rule has the same id"));
            }
            rules.push(check.rule(rule, &endpoints)?);
        }
        Ok(Self { rules, endpoints })
    }
}

/// Checks the parts of a file; knows its text, to say where an error is.
struct Check<'a> {
    text: &'a str,
}

impl Check<'_> {
    fn endpoints(&self, rules: &[RuleText]) -> Result<Vec<Arc<str>>, RulesError> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for RuleText { endpoint, .. } in rules {
            let name = endpoint.get_ref().as_str();
            if name == OTHER || names.iter().any(|known| **known == *name) {
                continue;
            }
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            self.name(endpoint, "endpoint", "[a-z0-9_]", allowed)?;
            if names.len() + 1 == MAX_ENDPOINTS {
                let what = format!("more than {MAX_ENDPOINTS} endpoints, `{OTHER}` included");
                return Err(self.error(endpoint, what));
            }
            names.push(name.into());
        }
        names.push(OTHER.into());
        Ok(names)
    }

    fn rule(&self, rule: RuleText, endpoints: &[Arc<str>]) -> Result<Rule, RulesError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        self.name(&rule.id, "id", "[A-Za-z0-9_.-]", allowed)?;
        let mut numbered = (0..).map(Endpoint).zip(endpoints);
        let endpoint = numbered.find(|(_, name)| ***name == **rule.endpoint.get_ref());
        Ok(Rule {
            path: rule.path.map(|path| self.path(&path)).transpose()?,
            query: rule.query.map(|query| self.regex(&query)).transpose()?,
            endpoint: endpoint.map_or(Endpoint::last(endpoints), |(number, _)| number),
            place: rule.id.span(),
            id: rule.id.into_inner(),
            proto: rule.proto,
            access: rule.access.map(Access::from),
            file_only: rule.file_only,
            stage: rule.stage,
        })
    }

    fn name(
        &self,
        name: &Spanned<String>,
        what: &str,
        alphabet: &str,
        allowed: fn(u8) -> bool,
    ) -> Result<(), RulesError> {
        let text = name.get_ref();
        if (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(());
        }
        Err(self.error(
            name,
            format!("the {what} must be 1 to {MAX_NAME} of {alphabet}"),
        ))
    }

    fn path(&self, path: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<Hir>, RulesError> {
        if path.get_ref().is_empty() {
            return Err(self.error(path, "an empty list matches no path; leave it out for any"));
        }
        path.get_ref().iter().map(|one| self.regex(one)).collect()
    }

    fn regex(&self, regex: &Spanned<String>) -> Result<Hir, RulesError> {
        let hir = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(regex.get_ref())
            .map_err(|error| self.syntax_error(regex, &error))?;
        // By itself first, so that the message can name it.
        match Regexes::new(&[(0, &hir)]) {
            Ok(_) => Ok(hir),
            Err(TooLarge) => Err(self.error(regex, "this regex is too large")),
        }
    }

    fn syntax_error(&self, regex: &Spanned<String>, error: &regex_syntax::Error) -> RulesError {
        let (offset, what) = match error {
            regex_syntax::Error::Parse(e) => (e.span().start.offset, e.kind().to_string()),
            regex_syntax::Error::Translate(e) => (e.span().start.offset, e.kind().to_string()),
            error => (0, error.to_string()),
        };
        let mut place = regex.span();
        // Only in a literal string does each byte of the regex stand for itself.
        if self.text[place.clone()]
            .strip_prefix('\'')
            .is_some_and(|s| !s.starts_with("''"))
        {
            place.start += 1 + offset;
        }
        RulesError::new(self.text, place, format!("bad regex: {what}"))
    }

    fn error<T>(&self, place: &Spanned<T>, what: impl fmt::Display) -> RulesError {
        let span: Range<usize> = place.span();
        RulesError::new(self.text, span, what)
    }
}
