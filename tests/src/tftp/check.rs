//! The observer's numbers beside the truth of a capture.

use std::collections::BTreeMap;

use super::transfer::{Outcome, Sender, Transfer};
use crate::{
    observer::Observer,
    scrape::{Labels, Scrape},
};

/// Transfers by endpoint, operation and outcome.
pub type Counts = BTreeMap<[String; 3], f64>;
/// Upper bounds of the buckets of `tftp_block_size_bytes`.
const BLOCK_SIZES: [u64; 10] = [512, 1024, 1408, 1428, 1432, 1456, 1468, 2048, 8192, 65464];
/// Upper bounds of the buckets of `tftp_window_size_blocks`.
const WINDOW_SIZES: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Waits until the observer has told as many ends as the capture has transfers, and panics unless
/// everything it says of them is what the capture says.
pub fn check(observer: &Observer, transfers: &[Transfer], endpoint: impl Fn(&Transfer) -> String) {
    let ended = |scrape: &Scrape| scrape.sum("tftp_requests_total", &[]);
    let scrape = observer.until(|scrape| ended(scrape) >= transfers.len() as f64);
    check_scrape(&scrape.expect("ends"), transfers, endpoint);
}

/// The same of one scrape, after all transfers have ended.
pub fn check_scrape(
    scrape: &Scrape,
    transfers: &[Transfer],
    endpoint: impl Fn(&Transfer) -> String,
) {
    assert_eq!(counted(scrape), captured(transfers, &endpoint));
    check_sums(scrape, transfers, &endpoint);
    check_errors(scrape, transfers);
    check_sizes(scrape, transfers);
    check_durations(scrape, transfers);
    assert_eq!(scrape.sum("tftp_transfers_in_flight", &[]), 0.0);
    assert_eq!(scrape.sum("tftp_requests_waiting", &[]), 0.0);
    assert_eq!(scrape.lost(), []);
}

/// The counts of `tftp_requests_total` that are not 0.
pub fn counted(scrape: &Scrape) -> Counts {
    let key = |labels: &Labels| {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        ["endpoint", "operation", "outcome"].map(label)
    };
    let seen = scrape.series("tftp_requests_total");
    let seen = seen.filter(|(_, value)| *value != 0.0);
    seen.map(|(labels, value)| (key(labels), value)).collect()
}

/// The counts that a capture has.
pub fn captured(transfers: &[Transfer], endpoint: impl Fn(&Transfer) -> String) -> Counts {
    let mut counts = Counts::new();
    for transfer in transfers {
        let key = [
            endpoint(transfer),
            transfer.operation.as_str().to_owned(),
            transfer.outcome.as_str().to_owned(),
        ];
        *counts.entry(key).or_default() += 1.0;
    }
    counts
}

/// Bytes and retransmits, by endpoint.
fn check_sums(scrape: &Scrape, transfers: &[Transfer], endpoint: &impl Fn(&Transfer) -> String) {
    use super::Operation::{Read, Write};
    let of = |family: &str, one: &dyn Fn(&Transfer) -> u64| {
        let mut sums = BTreeMap::<String, f64>::new();
        for transfer in transfers {
            *sums.entry(endpoint(transfer)).or_default() += one(transfer) as f64;
        }
        for (endpoint, sum) in sums {
            let counted = scrape.sum(family, &[("endpoint", &endpoint)]);
            assert_eq!(counted, sum, "{family} of {endpoint}");
        }
    };
    let bytes = |transfer: &Transfer, operation| match transfer.operation == operation {
        true => transfer.bytes,
        false => 0,
    };
    of("tftp_sent_bytes_total", &|one| bytes(one, Read));
    of("tftp_received_bytes_total", &|one| bytes(one, Write));
    of("tftp_retransmits_total", &|one| one.retransmits);
}

/// The first ERROR of each side: what comes behind it says nothing new.
fn check_errors(scrape: &Scrape, transfers: &[Transfer]) {
    let mut captured = BTreeMap::<(String, String), f64>::new();
    let firsts = |transfer: &'_ Transfer| {
        let first = |of: Sender| {
            let mut errors = transfer.errors.iter();
            errors.find(|(sender, _)| *sender == of).copied()
        };
        [first(Sender::Client), first(Sender::Server)]
    };
    for (sender, code) in transfers.iter().flat_map(firsts).flatten() {
        let code = match code {
            0..=8 => code.to_string(),
            _ => "other".to_owned(),
        };
        *captured
            .entry((sender.as_str().to_owned(), code))
            .or_default() += 1.0;
    }
    let seen = scrape.series("tftp_errors_total");
    let seen = seen.filter(|(_, value)| *value != 0.0);
    let counted: BTreeMap<_, _> = seen
        .map(|(labels, value)| ((labels["sender"].clone(), labels["code"].clone()), value))
        .collect();
    assert_eq!(counted, captured, "ERRORs");
}

/// Of transfers that came to a block or to an OACK: who was only refused has negotiated nothing.
fn check_sizes(scrape: &Scrape, transfers: &[Transfer]) {
    let negotiated = |transfer: &&Transfer| transfer.is_negotiated;
    let of = |family: &str, bounds: &[u64], one: &dyn Fn(&Transfer) -> u64| {
        for bound in bounds {
            let captured = transfers.iter().filter(negotiated);
            let captured = captured.filter(|transfer| one(transfer) <= *bound).count();
            let bucket = format!("{family}_bucket");
            let counted = scrape.sum(&bucket, &[("le", &bound.to_string())]);
            assert_eq!(counted, captured as f64, "{family} up to {bound}");
        }
    };
    of("tftp_block_size_bytes", &BLOCK_SIZES, &|one| one.blksize);
    of("tftp_window_size_blocks", &WINDOW_SIZES, &|one| {
        one.windowsize
    });
}

/// Our clock and tcpdump's stamp the same packets a moment apart.
fn check_durations(scrape: &Scrape, transfers: &[Transfer]) {
    let of = |family: &str, seconds: &[f64]| {
        let counted = scrape.sum(&format!("{family}_count"), &[]);
        assert_eq!(counted, seconds.len() as f64, "{family}");
        let (ours, theirs) = (
            scrape.sum(&format!("{family}_sum"), &[]),
            seconds.iter().sum::<f64>(),
        );
        let tolerance = (0.005 * counted).max(0.02 * theirs);
        assert!(
            (ours - theirs).abs() <= tolerance,
            "{family}: {ours} s, captured {theirs} s"
        );
    };
    let whole = transfers.iter().filter(|transfer| {
        matches!(
            transfer.outcome,
            Outcome::Complete | Outcome::CompleteUnacked
        )
    });
    let durations: Vec<f64> = whole
        .map(|transfer| (transfer.moved - transfer.start).as_secs_f64())
        .collect();
    let waits: Vec<f64> = transfers
        .iter()
        .filter_map(|transfer| Some((transfer.first_answer? - transfer.start).as_secs_f64()))
        .collect();
    of("tftp_transfer_duration_seconds", &durations);
    of("tftp_first_answer_seconds", &waits);
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;
    use crate::tftp::{Operation, Sender};

    fn transfer() -> Transfer {
        Transfer {
            client: (Ipv4Addr::LOCALHOST, 2070).into(),
            server: None,
            file: b"vmlinuz".to_vec(),
            operation: Operation::Read,
            outcome: Outcome::Complete,
            bytes: 700,
            blocks: 1,
            retransmits: 2,
            repeated_requests: 0,
            blksize: 1_432,
            windowsize: 4,
            is_negotiated: true,
            errors: vec![(Sender::Server, 9)],
            refused: false,
            start: Duration::from_secs(10),
            first_answer: Some(Duration::from_secs(11)),
            moved: Duration::from_secs(12),
        }
    }

    /// What an observer says of it that counts so many bytes.
    fn scrape(bytes: u64) -> Scrape {
        let bucket = |family: &str, bounds: &[u64], value: u64| -> String {
            let line = |bound: &u64| {
                let count = u8::from(value <= *bound);
                format!("{family}_bucket{{le=\"{bound}\"}} {count}\n")
            };
            bounds.iter().map(line).collect()
        };
        let sizes = bucket("tftp_block_size_bytes", &BLOCK_SIZES, 1_432)
            + &bucket("tftp_window_size_blocks", &WINDOW_SIZES, 4);
        let text = format!(
            "HTTP/1.1 200 OK\r\n\r\n\
tftp_requests_total{{endpoint=\"kernel\",operation=\"read\",outcome=\"complete\"}} 1
tftp_sent_bytes_total{{endpoint=\"kernel\"}} {bytes}
tftp_retransmits_total{{endpoint=\"kernel\"}} 2
tftp_errors_total{{sender=\"server\",code=\"other\"}} 1
tftp_transfer_duration_seconds_sum{{endpoint=\"kernel\"}} 2
tftp_transfer_duration_seconds_count{{endpoint=\"kernel\"}} 1
tftp_first_answer_seconds_sum{{endpoint=\"kernel\"}} 1
tftp_first_answer_seconds_count{{endpoint=\"kernel\"}} 1
{sizes}"
        );
        Scrape::parse(&text).expect("an exposition")
    }

    #[test]
    fn a_scrape_that_says_the_same_passes() {
        check_scrape(&scrape(700), &[transfer()], |_| "kernel".to_owned());
    }

    #[test]
    #[should_panic(expected = "tftp_sent_bytes_total of kernel")]
    fn a_byte_less_does_not() {
        check_scrape(&scrape(699), &[transfer()], |_| "kernel".to_owned());
    }
}
