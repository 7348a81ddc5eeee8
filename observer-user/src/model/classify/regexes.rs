//! The regexes of a profile, as the few automata that find them cheapest.

use regex_syntax::hir::Hir;

use super::{
    automaton::{Automaton, TooLarge},
    bits::RuleSet,
    shape::Shape,
};

/// Regexes in one automaton: fewer cost more walks, more cost states for their combinations.
/// Measured with the built-in rules at 12, 16, 20, 24: 172, 143, 131, 132 ns for the median path
/// of the truth table, 28, 30, 34, 50 ms to compile.
const TOGETHER: usize = 20;

/// Of all automata of a profile; the built-in stages take 1 MB.
const MAX_BYTES: usize = 8 << 20;

/// Finds every rule with a regex that matches anywhere in a text.
#[derive(Clone, Debug)]
pub(super) struct Regexes(Vec<Automaton>);

impl Regexes {
    /// Compiles regexes, each with its rule.
    pub(super) fn new(regexes: &[(u8, &Hir)]) -> Result<Self, TooLarge> {
        let mut automata = Vec::new();
        for shape in Shape::ALL {
            let alike = regexes
                .iter()
                .filter(|(_, regex)| Shape::of(regex) == shape);
            let mut alike: Vec<(u8, &Hir)> = alike.copied().collect();
            // Together with its like, a short one is given up before a long segment ends.
            alike.sort_by_key(|(_, regex)| regex.properties().maximum_len().unwrap_or(usize::MAX));
            let groups = alike.len().div_ceil(TOGETHER).max(1);
            for group in alike.chunks(alike.len().div_ceil(groups).max(1)) {
                build(shape, group, &mut automata)?;
            }
        }
        let all = Self(automata);
        if all.size() > MAX_BYTES {
            Err(TooLarge)
        } else {
            Ok(all)
        }
    }

    /// The rules that match `text`.
    pub(super) fn matches(&self, text: &[u8]) -> RuleSet {
        let mut found = RuleSet::EMPTY;
        for automaton in &self.0 {
            automaton.find(text, &mut found);
        }
        found
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        self.0.iter().map(Automaton::size).sum()
    }
}

/// Regexes that are too large together can still be looked for apart.
fn build(shape: Shape, regexes: &[(u8, &Hir)], into: &mut Vec<Automaton>) -> Result<(), TooLarge> {
    match Automaton::new(shape, regexes) {
        Ok(automaton) => into.push(automaton),
        Err(too_large) if regexes.len() < 2 => return Err(too_large),
        Err(_) => {
            let (some, others) = regexes.split_at(regexes.len() / 2);
            build(shape, some, into)?;
            build(shape, others, into)?;
        }
    }
    Ok(())
}
