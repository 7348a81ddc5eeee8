//! Where the time of an exchange went.

use crate::model::fact::Phases;

/// When what happened, `CLOCK_MONOTONIC` nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamps {
    /// First request byte.
    pub(super) begun: u64,
    /// Last byte of the request's head.
    pub(super) head: u64,
    /// First recv after `begun`.
    pub(super) picked: Option<u64>,
    /// Last request byte before the answer.
    pub(super) received: u64,
    /// First byte of the final response.
    pub(super) answered: Option<u64>,
}

impl Stamps {
    /// The phases of what ended at `end`: spans that never overlap and never are negative,
    /// whatever the stamps say.
    pub(super) fn phases(&self, end: u64) -> Phases {
        let end = end.max(self.begun);
        let until = self.answered.unwrap_or(end).clamp(self.begun, end);
        let head = self.head.clamp(self.begun, until);
        // Taken up after the answer is taken up by nobody.
        let picked = self.picked.filter(|picked| *picked <= until);
        let taken = picked.unwrap_or(head).max(head);
        let received = self.received.clamp(taken, until);
        let queue = taken - head;
        let receive = (head - self.begun) + (received - taken);
        Phases {
            queue: picked.map(|_| queue),
            receive,
            handle: until - self.begun - queue - receive,
            transfer: self.answered.map(|_| end - until),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_are_as_defined() {
        let stamps = |begun, head, picked, received, answered| Stamps {
            begun,
            head,
            picked,
            received,
            answered,
        };
        let phases = |queue, receive, handle, transfer| Phases {
            queue,
            receive,
            handle,
            transfer,
        };
        for (what, stamps, end, expected) in [
            (
                "a GET that waits for a worker",
                stamps(10, 12, Some(50), 12, Some(80)),
                100,
                phases(Some(38), 2, 30, Some(20)),
            ),
            (
                "picked up before its head was whole",
                stamps(10, 40, Some(12), 40, Some(80)),
                100,
                phases(Some(0), 30, 40, Some(20)),
            ),
            (
                "a body that arrives while it is handled",
                stamps(10, 20, Some(30), 60, Some(80)),
                100,
                phases(Some(10), 40, 20, Some(20)),
            ),
            (
                "nobody picked it up, as far as is known",
                stamps(10, 20, None, 20, Some(80)),
                80,
                phases(None, 10, 60, Some(0)),
            ),
            (
                "no answer",
                stamps(10, 20, Some(30), 20, None),
                100,
                phases(Some(10), 10, 70, None),
            ),
        ] {
            assert_eq!(stamps.phases(end), expected, "{what}");
        }
    }

    proptest! {
        /// Whatever order the stamps came in.
        #[test]
        fn their_sum_is_the_duration(
            begun in 0u64..100,
            head in 0u64..100,
            picked in proptest::option::of(0u64..100),
            received in 0u64..100,
            answered in proptest::option::of(0u64..100),
            end in 0u64..100,
        ) {
            let stamps = Stamps { begun, head, picked, received, answered };
            prop_assert_eq!(stamps.phases(end).duration(), end.saturating_sub(begun));
        }
    }
}
