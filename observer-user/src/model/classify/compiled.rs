//! A profile, ready to be asked.

use std::{ops::Range, sync::Arc};

use super::{
    Endpoint, MAX_ENDPOINTS, RuleId,
    automaton::TooLarge,
    error::{RulesError, TooManyEndpoints},
    matcher::Matcher,
    normalise::Normal,
    profile::{Profile, Rule},
    stage::Stage,
    subject::{Access, Proto},
};

/// What a profile says of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) endpoint: Endpoint,
    pub(super) stage: Option<Stage>,
    pub(super) rule: RuleId,
}

/// A profile, compiled.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    matcher: Matcher,
    answers: Vec<Answer>,
    ids: Vec<String>,
    endpoints: Vec<Arc<str>>,
    other: Endpoint,
}

impl Compiled {
    pub(super) fn parse(text: &str) -> Result<Self, RulesError> {
        let Profile { rules, endpoints } = Profile::parse(text)?;
        let matcher = Matcher::new(&rules).map_err(|TooLarge| {
            let what = "the rules are too large together, this one is the largest";
            RulesError::new(text, largest(&rules), what)
        })?;
        let answers = (0..).zip(&rules).map(|(number, rule)| Answer {
            endpoint: rule.endpoint,
            stage: rule.stage,
            rule: RuleId::numbered(number),
        });
        Ok(Self {
            answers: answers.collect(),
            matcher,
            ids: rules.into_iter().map(|Rule { id, .. }| id).collect(),
            other: Endpoint::last(&endpoints),
            endpoints,
        })
    }

    /// The same profile with its endpoints' names as stages, where they are stages.
    pub(super) fn with_stages(mut self) -> Self {
        for Answer {
            endpoint, stage, ..
        } in &mut self.answers
        {
            let name = self.endpoints.get(endpoint.index());
            *stage = name.and_then(|name| Stage::from_name(name));
        }
        self
    }

    /// The same profile with the endpoints numbered as `before` has them, new ones behind those.
    pub(super) fn numbered_as(&mut self, before: &[Arc<str>]) -> Result<(), TooManyEndpoints> {
        let mut all = before.to_vec();
        for name in &self.endpoints {
            if !all.contains(name) {
                all.push(Arc::clone(name));
            }
        }
        if all.len() > MAX_ENDPOINTS {
            return Err(TooManyEndpoints(all.len()));
        }
        let old = std::mem::replace(&mut self.endpoints, all);
        let renumber = |endpoint: &mut Endpoint| {
            let name = old.get(endpoint.index());
            let mut numbered = (0..).map(Endpoint).zip(&self.endpoints);
            if let Some((number, _)) = numbered.find(|(_, known)| Some(*known) == name) {
                *endpoint = number;
            }
        };
        renumber(&mut self.other);
        for Answer { endpoint, .. } in &mut self.answers {
            renumber(endpoint);
        }
        Ok(())
    }

    /// The answer of the first rule that holds; `other` when none does.
    pub(super) fn answer(&self, proto: Proto, access: Access, target: &Normal<'_>) -> Answer {
        let first = self.matcher.first(proto, access, target);
        let answer = first.and_then(|rule| self.answers.get(usize::from(rule)));
        answer.copied().unwrap_or(Answer {
            endpoint: self.other(),
            stage: None,
            rule: RuleId::UNMATCHED,
        })
    }

    pub(super) fn endpoints(&self) -> &[Arc<str>] {
        &self.endpoints
    }

    pub(super) fn other(&self) -> Endpoint {
        self.other
    }

    pub(super) fn id(&self, rule: u8) -> Option<&str> {
        self.ids.get(usize::from(rule)).map(String::as_str)
    }
}

/// Where the rule stands that is best made smaller.
fn largest(rules: &[Rule]) -> Range<usize> {
    let size = |rule: &&Rule| Matcher::new(std::slice::from_ref(*rule)).map_or(0, |m| m.size());
    let largest = rules.iter().max_by_key(size);
    largest.map_or(0..0, |rule| rule.place.clone())
}
