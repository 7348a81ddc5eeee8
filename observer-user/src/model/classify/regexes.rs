//! The regexes of a profile, as the few automata that find them cheapest.

use regex_syntax::hir::Hir;

use super::{
    automaton::{Automaton, TooLarge},
    bits::RuleSet,
    shape::Shape,
};

/// Regexes in one automaton: fewer cost more walks, more cost states for their combinations.
/// Measured with the built-in rules at 12, 16, 20, 24: 172, 143, 131, 132 ns for the median path
/// of the truth table (`cargo bench --bench classify_rows`), 28, 30, 34, 50 ms to compile.
const TOGETHER: usize = 20;

/// Of all automata of a profile; the built-in stages take 1 MB.
const MAX_BYTES: usize = 4 << 20;

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
                match Automaton::new(shape, group) {
                    Ok(automaton) => automata.push(automaton),
                    // Too large together, they can still be looked for one by one.
                    Err(TooLarge) => {
                        for one in group.chunks(1) {
                            automata.push(Automaton::new(shape, one)?);
                        }
                    }
                }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::RegexBuilder;

    use super::*;

    /// One of each way to stand in a text, and some that no sensible rule has.
    const PATTERNS: [&str; 22] = [
        "^a",
        "a$",
        "^a$",
        "a",
        "",
        "^$",
        "^",
        "$",
        "a*",
        "(^|/)a/",
        "(^|/)a(/|$)",
        "(^|/)a(/.*)?$",
        "^a/.*/b",
        "a[^/]*$",
        "a.*$",
        "^a|b$",
        "(^a|b)c?$",
        r"\ba\b",
        r"a\b",
        "(?m)^a$",
        "(?i)A/B$",
        r"b{2,}[ab]?/",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_regex_is_found_whatever_its_shape(text in "[abc/]{0,8}|[ab/ \n]{0,6}|a{0,300}b?") {
            let parse = |pattern: &str| {
                let mut builder = regex_syntax::ParserBuilder::new();
                builder.unicode(false).utf8(false).build().parse(pattern).expect(pattern)
            };
            let hirs = PATTERNS.map(parse);
            let numbered: Vec<(u8, &Hir)> = (0..).zip(&hirs).collect();
            let got = Regexes::new(&numbered).expect("small").matches(text.as_bytes());
            let matches = |pattern: &str| {
                let regex = RegexBuilder::new(pattern).unicode(false).build().expect(pattern);
                regex.is_match(text.as_bytes())
            };
            let expected = (0..).zip(PATTERNS).filter(|(_, pattern)| matches(pattern));
            let expected: RuleSet = expected.map(|(number, _)| number).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
