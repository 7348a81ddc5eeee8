//! A few regexes as one automaton: one step a byte, whatever their number.
//!
//! Invariants: no allocation, no backtracking and no cache while matching, so a hostile text costs
//! what any text of its length costs; what is too large is refused when it is built.

use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton as _, StartKind, dense},
    nfa::thompson,
    util::{primitives::StateID, start},
};
use regex_syntax::hir::Hir;

use super::{bits::RuleSet, shape::Shape};

/// Of the finished automaton, and of each step on the way to it.
const MAX_BYTES: usize = 1 << 20;

/// Texts of this many bytes are worth a look for padding, [`STRIDE`] bytes at a time.
const LONG: usize = 128;
const STRIDE: usize = 16;

/// Why an automaton was not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Finds each rule with a regex that matches in a text.
#[derive(Clone, Debug)]
pub(super) struct Automaton {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
    /// The rule that each regex belongs to.
    owners: Box<[u8]>,
    backwards: bool,
}

impl Automaton {
    /// Builds the automaton of these regexes, all of that shape, each with its rule.
    pub(super) fn new(shape: Shape, regexes: &[(u8, &Hir)]) -> Result<Self, TooLarge> {
        let (backwards, start_kind, anchored) = match shape {
            Shape::Start => (false, StartKind::Anchored, Anchored::Yes),
            Shape::End => (true, StartKind::Anchored, Anchored::Yes),
            Shape::Anywhere => (true, StartKind::Unanchored, Anchored::No),
        };
        let hirs: Vec<&Hir> = regexes.iter().map(|(_, hir)| *hir).collect();
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .reverse(backwards)
                    .nfa_size_limit(Some(MAX_BYTES))
                    .which_captures(thompson::WhichCaptures::None),
            )
            .build_many_from_hir(&hirs)
            .map_err(|_| TooLarge)?;
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .start_kind(start_kind)
                    .accelerate(false)
                    .dfa_size_limit(Some(MAX_BYTES))
                    .determinize_size_limit(Some(4 * MAX_BYTES)),
            )
            .build_from_nfa(&nfa)
            .map_err(|_| TooLarge)?;
        let start = start::Config::new().anchored(anchored);
        Ok(Self {
            start: dfa.start_state(&start).map_err(|_| TooLarge)?,
            dfa,
            owners: regexes.iter().map(|(owner, _)| *owner).collect(),
            backwards,
        })
    }

    /// Adds the rules that match `text`.
    pub(super) fn find(&self, text: &[u8], found: &mut RuleSet) {
        let stride = if text.len() < LONG {
            text.len()
        } else {
            STRIDE
        };
        let mut state = Some(self.start);
        if self.backwards {
            let mut chunks = text.rchunks(stride.max(1));
            while let (Some(from), Some(chunk)) = (state, chunks.next()) {
                state = self.walk(from, chunk, chunk.iter().rev(), found);
            }
        } else {
            let mut chunks = text.chunks(stride.max(1));
            while let (Some(from), Some(chunk)) = (state, chunks.next()) {
                state = self.walk(from, chunk, chunk.iter(), found);
            }
        }
        if let Some(end) = state {
            self.note(self.dfa.next_eoi_state(end), found);
        }
    }

    /// The state after some bytes; `None` when nothing can match any more.
    fn walk<'a>(
        &self,
        from: StateID,
        chunk: &[u8],
        bytes: impl Iterator<Item = &'a u8>,
        found: &mut RuleSet,
    ) -> Option<StateID> {
        // Padding leads nowhere new.
        if let Some(first) = chunk.first()
            && chunk == [*first; STRIDE]
            && self.dfa.next_state(from, *first) == from
        {
            return Some(from);
        }
        let mut state = from;
        for &byte in bytes {
            state = self.dfa.next_state(state, byte);
            if self.dfa.is_special_state(state) {
                if self.dfa.is_dead_state(state) {
                    return None;
                }
                self.note(state, found);
            }
        }
        Some(state)
    }

    fn note(&self, state: StateID, found: &mut RuleSet) {
        if self.dfa.is_match_state(state) {
            for nth in 0..self.dfa.match_len(state) {
                found.insert(self.owners[self.dfa.match_pattern(state, nth)]);
            }
        }
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        self.dfa.memory_usage()
    }
}
