//! What the median and the slowest path of the truth table cost: divan has the mean.

use std::{
    hint::black_box,
    io::{self, Write as _},
    time::Instant,
};

use observer_user::model::classify::{Access, Classifier, Proto, Subject, escape::unescape};

const TABLE: &str = include_str!("../data/paths.tsv");
const ROUNDS: usize = 7;
const TURNS: u32 = 2000;

fn main() -> io::Result<()> {
    for (name, classifier) in [
        ("generic", Classifier::generic()),
        ("dragonfly", Classifier::dragonfly()),
    ] {
        let mut rows: Vec<f64> = TABLE
            .lines()
            .filter_map(|row| cost(&classifier, row))
            .collect();
        rows.sort_by(f64::total_cmp);
        let part = |percent: usize| rows[(rows.len() - 1) * percent / 100];
        writeln!(
            io::stdout(),
            "{name}: {} paths, ns: median {:.0}, p90 {:.0}, p99 {:.0}, max {:.0}",
            rows.len(),
            part(50),
            part(90),
            part(99),
            part(100),
        )?;
    }
    Ok(())
}

/// Nanoseconds for a row of the table, of the round that was disturbed least.
fn cost(classifier: &Classifier, row: &str) -> Option<f64> {
    let mut columns = row.split('\t');
    let proto = match columns.next()? {
        "http" => Proto::Http,
        "tftp" => Proto::Tftp,
        _ => return None,
    };
    let access = Access::of(proto, columns.next()?.as_bytes());
    let target = &*unescape(columns.next()?.as_bytes()).ok()?;
    let round = || {
        let start = Instant::now();
        for _ in 0..TURNS {
            black_box(classifier.classify(black_box(Subject {
                proto,
                access,
                target,
            })));
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(TURNS)
    };
    (0..ROUNDS).map(|_| round()).min_by(f64::total_cmp)
}
