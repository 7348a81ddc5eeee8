//! Classifying happens for every request: it must not allocate, whatever the target.
//!
//! A binary of its own, as counting takes the place of the global allocator.

use observer_user::model::classify::{Access, Classifier, Proto, Subject, escape::unescape};

#[test]
fn no_row_of_the_table_and_no_long_target_allocates() {
    let table = include_str!("../data/paths.tsv").lines();
    let rows = table.filter_map(|line| unescape(line.split('\t').nth(2)?.as_bytes()).ok());
    let mut targets: Vec<Vec<u8>> = rows.collect();
    assert!(targets.len() > 600, "only {} rows", targets.len());
    targets.extend(["/a", "/%41", "/initrd.img", "A"].map(|piece| piece.repeat(512).into_bytes()));
    for classifier in [Classifier::generic(), Classifier::dragonfly()] {
        for target in &targets {
            for proto in [Proto::Http, Proto::Tftp] {
                let access = Access::Read;
                let subject = Subject {
                    proto,
                    access,
                    target,
                };
                let count = allocation_counter::measure(|| {
                    std::hint::black_box(classifier.classify(subject));
                });
                assert_eq!(count.count_total, 0, "{}", target.escape_ascii());
            }
        }
    }
}
