//! What a frame of `top` costs, with as many rows as a snapshot has at most: on one thread, so its
//! time is the processor's.

use std::{hint::black_box, net::IpAddr};

use divan::Bencher;
use observer_user::{
    live::message::{Phases, Row, Snapshot},
    top::Picture,
};

const ROWS: u32 = 10_000;

fn main() {
    divan::main();
}

/// Transfers at 200x60.
#[divan::bench]
fn transfers(bencher: Bencher<'_, '_>) {
    let mut picture = picture();
    assert!(picture.to_string().contains("/images/10000.raw"));
    bencher.bench_local(|| picture.draw());
}

/// The same with a line selected, for each key.
#[divan::bench]
fn a_key(bencher: Bencher<'_, '_>) {
    let mut picture = picture();
    bencher.bench_local(|| {
        picture.press('j');
        picture.draw()
    });
}

/// The same once a snapshot.
#[divan::bench]
fn a_snapshot(bencher: Bencher<'_, '_>) {
    let mut picture = picture();
    bencher
        .with_inputs(snapshot)
        .bench_local_values(|snapshot| {
            picture.hear(snapshot);
            picture.draw()
        });
}

/// With a filter.
#[divan::bench]
fn filtered(bencher: Bencher<'_, '_>) {
    let mut picture = picture();
    "/images.*9".chars().for_each(|key| picture.press(key));
    bencher.bench_local(|| black_box(&mut picture).draw());
}

fn picture() -> Picture {
    let mut picture = Picture::new(200, 60).expect("a picture");
    picture.hear(snapshot());
    picture.press('2');
    picture.draw().expect("drawn");
    picture
}

fn snapshot() -> Snapshot {
    Snapshot {
        rows: (1..=ROWS).map(row).collect(),
        ..Snapshot::default()
    }
}

fn row(number: u32) -> Row {
    let [.., c, d] = number.to_be_bytes();
    Row {
        id: format!("{number:x}"),
        protocol: "http".into(),
        client: IpAddr::from([10, 0, c, d]),
        client_port: 40_000,
        server_port: Some(80),
        endpoint: "image".to_owned(),
        stage: "image".into(),
        method: "GET".into(),
        path: format!("/images/{number}.raw"),
        path_cut: false,
        status: Some(200),
        began_s: 1_000.0,
        age_s: f64::from(number),
        phase: "transferring".into(),
        phases: Phases::default(),
        bytes: u64::from(number) * 10_000,
        total: Some(1_000_000_000),
        rate: Some(12_000_000.0),
        limiter: Some("path".into()),
        retransmits: None,
        stalled_by: number.is_multiple_of(7).then(|| "client_window".into()),
        pid: Some(812),
    }
}
