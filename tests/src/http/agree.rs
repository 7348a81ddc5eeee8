//! What tshark dissects by itself, beside what we read.

use std::fmt::Debug;

use anyhow::{Result, ensure};

use super::{connection::Connection, walk::Walked};

/// Whatever tshark reads, we must. We may read more where requests are pipelined, since without
/// the bodies tshark does not know where one ends within a segment, and where segments come again
/// or change their places, since it may dissect neither.
pub(super) fn check(connection: &Connection, walked: &Walked) -> Result<()> {
    if !walked.is_http {
        return Ok(());
    }
    let is_pipelined = walked.exchanges.iter().any(|exchange| exchange.pipelined);
    let may_miss = is_pipelined || !connection.is_in_order;
    let requests = walked.exchanges.iter();
    let requests: Vec<_> = requests
        .map(|exchange| (exchange.method.clone(), exchange.target.clone()))
        .collect();
    let dissected = &connection.dissected;
    compare(&requests, &dissected.requests, may_miss)?;
    compare(&walked.statuses, &dissected.statuses, may_miss)
}

fn compare<T: Clone + PartialEq + Debug>(ours: &[T], theirs: &[T], may_miss: bool) -> Result<()> {
    let agree = match may_miss {
        false => ours == theirs,
        true => {
            let mut rest = ours.to_vec();
            theirs.iter().all(|one| {
                let place = rest.iter().position(|other| other == one);
                place.map(|place| rest.swap_remove(place)).is_some()
            })
        }
    };
    ensure!(agree, "we read {ours:?}, tshark {theirs:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tshark_reads_must_be_ours() {
        let check = |ours: &[u16], theirs: &[u16], may_miss, expected| {
            let agree = compare(ours, theirs, may_miss).is_ok();
            assert_eq!(agree, expected, "{ours:?} {theirs:?} {may_miss}");
        };
        check(&[200, 404], &[200, 404], false, true);
        check(&[200, 404], &[200], false, false);
        check(&[200], &[200, 404], false, false);
        check(&[200, 404, 200], &[200, 200], true, true);
        check(&[200, 404], &[404, 200], true, true);
        check(&[200, 404], &[200, 200], true, false);
    }
}
