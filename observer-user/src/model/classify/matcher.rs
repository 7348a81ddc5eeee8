//! Which rule of a profile comes first for a request.

use regex_syntax::hir::Hir;

use super::{
    automaton::TooLarge,
    bits::RuleSet,
    normalise::Normal,
    profile::Rule,
    regexes::Regexes,
    subject::{Access, Proto},
};

/// The conditions of ordered rules, compiled: of each condition, the rules that satisfy it.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    paths: Regexes,
    any_path: RuleSet,
    queries: Regexes,
    any_query: RuleSet,
    http: RuleSet,
    tftp: RuleSet,
    read: RuleSet,
    write: RuleSet,
    directory: RuleSet,
}

impl Matcher {
    pub(super) fn new(rules: &[Rule]) -> Result<Self, TooLarge> {
        let where_ = |holds: &dyn Fn(&Rule) -> bool| -> RuleSet {
            let held = numbered(rules).filter(|(_, rule)| holds(rule));
            held.map(|(number, _)| number).collect()
        };
        let paths: Vec<(u8, &Hir)> = numbered(rules)
            .flat_map(|(number, rule)| rule.path.iter().flatten().map(move |path| (number, path)))
            .collect();
        let queries: Vec<(u8, &Hir)> = numbered(rules)
            .filter_map(|(number, rule)| Some((number, rule.query.as_ref()?)))
            .collect();
        Ok(Self {
            paths: Regexes::new(&paths)?,
            any_path: where_(&|rule| rule.path.is_none()),
            queries: Regexes::new(&queries)?,
            any_query: where_(&|rule| rule.query.is_none()),
            http: where_(&|rule| rule.proto != Some(Proto::Tftp)),
            tftp: where_(&|rule| rule.proto != Some(Proto::Http)),
            read: where_(&|rule| rule.access != Some(Access::Write)),
            write: where_(&|rule| rule.access != Some(Access::Read)),
            directory: where_(&|rule| !rule.file_only),
        })
    }

    /// The first rule that holds.
    pub(super) fn first(&self, proto: Proto, access: Access, target: &Normal<'_>) -> Option<u8> {
        let proto = match proto {
            Proto::Http => self.http,
            Proto::Tftp => self.tftp,
        };
        let access = match access {
            Access::Read => self.read,
            Access::Write => self.write,
            Access::Other => RuleSet::EMPTY,
        };
        let path = self.paths.matches(target.path) | self.any_path;
        let mut held = path & proto & access;
        if target.directory {
            held = held & self.directory;
        }
        // Few rules ask for a query: most requests' are never looked at.
        if !(held & !self.any_query).is_empty() {
            held = held & (self.queries.matches(target.query) | self.any_query);
        }
        held.first()
    }

    /// Bytes held by the automata.
    pub(super) fn size(&self) -> usize {
        self.paths.size() + self.queries.size()
    }
}

fn numbered(rules: &[Rule]) -> impl Iterator<Item = (u8, &Rule)> {
    (0..RuleSet::CAPACITY).zip(rules)
}
