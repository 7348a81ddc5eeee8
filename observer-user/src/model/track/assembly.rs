//! The pieces of a head, put together in whatever order they arrive.

use std::collections::BTreeMap;

use observer_common::limits::HEAD_MAX;

/// A head under way: at most [`HEAD_MAX`] bytes, in order, and those that came too early.
#[derive(Clone, Debug, Default)]
pub(super) struct Assembly {
    bytes: Vec<u8>,
    early: BTreeMap<u32, Vec<u8>>,
}

impl Assembly {
    /// Takes the piece that begins at `offset` of the turn.
    pub(super) fn push(&mut self, offset: u32, piece: &[u8]) {
        if offset >= HEAD_MAX {
            return;
        }
        if offset > self.end() {
            self.keep_early(offset, piece);
            return;
        }
        self.append(offset, piece);
        let reached = |bytes: &Vec<u8>, early: &BTreeMap<u32, _>| {
            early
                .keys()
                .next()
                .is_some_and(|next| *next as usize <= bytes.len())
        };
        while reached(&self.bytes, &self.early) {
            if let Some((offset, piece)) = self.early.pop_first() {
                self.append(offset, &piece);
            }
        }
    }

    /// Of two pieces at one place the longer is kept; beyond the bound, none.
    fn keep_early(&mut self, offset: u32, piece: &[u8]) {
        let kept: usize = self.early.values().map(Vec::len).sum();
        let known = self.early.get(&offset).map_or(0, Vec::len);
        if piece.len() > known && kept - known + piece.len() <= HEAD_MAX as usize {
            self.early.insert(offset, piece.to_vec());
        }
    }

    /// True if a piece at `offset` is the first: a head that is whole in it, as most are, is read
    /// where it lies.
    pub(super) fn begins_with(&self, offset: u32) -> bool {
        offset == 0 && self.bytes.is_empty()
    }

    /// What is there without a gap.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// True when no more will be handed over.
    pub(super) fn is_full(&self) -> bool {
        self.end() >= HEAD_MAX
    }

    /// Drops an interim response's head from the front.
    pub(super) fn skip(&mut self, len: usize) {
        self.bytes.drain(..len.min(self.bytes.len()));
    }

    fn end(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(HEAD_MAX)
    }

    /// Adds what `piece` has beyond the end.
    fn append(&mut self, offset: u32, piece: &[u8]) {
        let known = (self.end() - offset) as usize;
        let room = (HEAD_MAX - self.end()) as usize;
        if let Some(new) = piece.get(known..) {
            self.bytes.extend_from_slice(&new[..new.len().min(room)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any cut, any order, any repetition: the same bytes.
        #[test]
        fn pieces_in_any_order_give_the_head(
            head in proptest::collection::vec(any::<u8>(), 1..2000),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
            order in any::<u64>(),
        ) {
            let mut edges: Vec<usize> = cuts.iter().map(|cut| cut.index(head.len())).collect();
            edges.extend([0, head.len()]);
            edges.sort_unstable();
            edges.dedup();
            let mut pieces: Vec<(usize, usize)> = edges.windows(2).map(|w| (w[0], w[1])).collect();
            let repeated = pieces[0];
            pieces.push(repeated);
            let turns = usize::try_from(order % 97).expect("small");
            let turns = turns % pieces.len();
            pieces.rotate_left(turns);
            if order % 2 == 0 {
                pieces.reverse();
            }
            let mut assembly = Assembly::default();
            for (from, to) in pieces {
                assembly.push(u32::try_from(from).expect("small"), &head[from..to]);
            }
            prop_assert_eq!(assembly.bytes(), &head[..]);
        }

        /// Never more than the bound, whatever is pushed.
        #[test]
        fn it_is_bounded(pieces in proptest::collection::vec((0u32..20_000, 0usize..9_000), 0..20)) {
            let mut assembly = Assembly::default();
            for (offset, len) in pieces {
                assembly.push(offset, &vec![b'x'; len]);
                prop_assert!(assembly.bytes().len() <= HEAD_MAX as usize);
                let early: usize = assembly.early.values().map(Vec::len).sum();
                prop_assert!(early <= HEAD_MAX as usize);
            }
        }
    }
}
