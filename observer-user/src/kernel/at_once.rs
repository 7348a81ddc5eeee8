//! Two things at once, for whoever is not in servers' way by it.

use std::{num::NonZero, panic::resume_unwind, thread};

/// Does both, at once where a processor is left to servers meanwhile, else one after the other: of two
/// processors servers would feel both taken for a third of a second.
pub(super) fn both<A: Send, B>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B,
) -> (A, B) {
    both_on(
        thread::available_parallelism().map_or(1, NonZero::get),
        one,
        other,
    )
}

fn both_on<A: Send, B>(
    processors: usize,
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B,
) -> (A, B) {
    if processors <= 2 {
        return (one(), other());
    }
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (
            one.join().unwrap_or_else(|panic| resume_unwind(panic)),
            other,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_a_thread_of_its_own_where_there_are_processors() {
        let thread = || thread::current().id();
        for (processors, together) in [(1, true), (2, true), (3, false), (64, false)] {
            let (one, other) = both_on(processors, thread, thread);
            assert_eq!(one == other, together, "{processors}");
            assert_eq!(other, thread());
        }
    }
}
