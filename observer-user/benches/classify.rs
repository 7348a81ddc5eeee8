//! What classifying a request costs: the truth table as a whole, and targets made to be slow.

use std::{fmt, sync::LazyLock};

use divan::{Bencher, black_box, counter::ItemsCount};
use observer_user::model::classify::{Access, Classifier, Proto, Subject, escape::unescape};

const TABLE: &str = include_str!("../data/paths.tsv");

static GENERIC: LazyLock<Classifier> = LazyLock::new(Classifier::generic);
static DRAGONFLY: LazyLock<Classifier> = LazyLock::new(Classifier::dragonfly);

fn main() {
    divan::main();
}

#[divan::bench]
fn table_generic(bencher: Bencher<'_, '_>) {
    table(bencher, &GENERIC);
}

#[divan::bench]
fn table_dragonfly(bencher: Bencher<'_, '_>) {
    table(bencher, &DRAGONFLY);
}

/// Start-up cost: compiling the built-in rules.
#[divan::bench]
fn compile_generic() -> Classifier {
    Classifier::generic()
}

#[divan::bench(args = hostile())]
fn hostile_generic(bencher: Bencher<'_, '_>, target: &Hostile) {
    let classifier = &*GENERIC;
    bencher.bench_local(|| classifier.classify(black_box(get(&target.target))));
}

fn table(bencher: Bencher<'_, '_>, classifier: &Classifier) {
    let rows: Vec<_> = TABLE.lines().filter_map(row).collect();
    bencher
        .counter(ItemsCount::new(rows.len()))
        .bench_local(|| {
            for (proto, access, target) in &rows {
                black_box(classifier.classify(black_box(Subject {
                    proto: *proto,
                    access: *access,
                    target,
                })));
            }
        });
}

fn row(line: &str) -> Option<(Proto, Access, Vec<u8>)> {
    let mut columns = line.split('\t');
    let proto = match columns.next()? {
        "http" => Proto::Http,
        "tftp" => Proto::Tftp,
        _ => return None,
    };
    let access = Access::of(proto, columns.next()?.as_bytes());
    Some((proto, access, unescape(columns.next()?.as_bytes()).ok()?))
}

fn get(target: &[u8]) -> Subject<'_> {
    Subject {
        proto: Proto::Http,
        access: Access::Read,
        target,
    }
}

struct Hostile {
    name: &'static str,
    target: Vec<u8>,
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn hostile() -> Vec<Hostile> {
    let hostile = |name, target: Vec<u8>| Hostile { name, target };
    vec![
        hostile("ordinary", b"/rhel9/images/pxeboot/vmlinuz".to_vec()),
        hostile("64 KiB", b"/A".repeat(32 << 10)),
        hostile(
            "parents",
            b"/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd".to_vec(),
        ),
        hostile(
            "double-encoded",
            b"/%252e%252e/%252e%252e/%252e%252e/boot.ini".to_vec(),
        ),
        hostile("NUL", b"/images/boot.iso%00.txt".to_vec()),
        hostile("480 A", [b"/", &b"A".repeat(480)[..]].concat()),
        hostile("2048 A", [b"/", &b"A".repeat(2048)[..]].concat()),
        hostile("2048 encoded", b"/%41".repeat(1024)),
        hostile("1024 segments", b"/a".repeat(1024)),
        hostile(
            "2048 of rules",
            b"/vmlinuz/initrd/kernel.img/boot".repeat(66),
        ),
        hostile(
            "long query",
            [b"/_/file?", &b"type=".repeat(400)[..]].concat(),
        ),
    ]
}
