//! The truth table, row by row, and profiles that are loaded again.

use super::{escape::unescape, *};

const TABLE: &str = include_str!("../../../data/paths.tsv");

struct Row {
    text: &'static str,
    proto: Proto,
    method: &'static str,
    target: Vec<u8>,
    stage: &'static str,
    dragonfly: Option<&'static str>,
}

impl Row {
    fn subject(&self) -> Subject<'_> {
        Subject {
            proto: self.proto,
            access: Access::of(self.proto, self.method.as_bytes()),
            target: &self.target,
        }
    }
}

fn rows() -> Vec<Row> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#')).skip(1);
    rows.map(|text| {
        let columns: Vec<&str> = text.split('\t').collect();
        let &[proto, method, path, stage, _source, dragonfly] = &columns[..] else {
            panic!("not six columns: {text}");
        };
        Row {
            text,
            proto: if proto == "tftp" {
                Proto::Tftp
            } else {
                Proto::Http
            },
            method,
            target: unescape(path.as_bytes()).expect("the table's escapes are good"),
            stage,
            dragonfly: Some(dragonfly).filter(|label| *label != "-"),
        }
    })
    .collect()
}

/// Every row that `wrong` has something to say about, or nothing.
fn check(wrong: impl Fn(&Row) -> Option<String>) {
    let rows = rows();
    assert!(rows.len() > 600, "only {} rows", rows.len());
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| wrong(row).map(|what| format!("{what} <- {}", row.text)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} rows are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn differs(expected: &str, classifier: &Classifier, class: Class, got: &str) -> Option<String> {
    (got != expected).then(|| format!("{got} by {}", classifier.rule_name(class.rule)))
}

#[test]
fn generic_gives_every_row_its_stage() {
    let generic = Classifier::generic();
    check(|row| {
        let class = generic.classify(row.subject());
        let endpoint = generic.endpoint_name(class.endpoint);
        differs(row.stage, &generic, class, class.stage.name())
            .or_else(|| differs(row.stage, &generic, class, endpoint))
    });
}

/// Rules that no row of the table gets to.
#[test]
fn generic_gives_a_stage_where_the_table_has_no_row() {
    let generic = Classifier::generic();
    let mac = "0152.54ab.cdef";
    for (path, rule, stage) in [
        (&*format!("/initramfs/{mac}"), "R13_initrd", Stage::Initrd),
        (&*format!("/image/{mac}"), "R13_image", Stage::Image),
        ("/v2/os/kairos/blobs/sha256:00", "R15", Stage::Image),
        ("/ui/logo.svg", "R27", Stage::Infra),
    ] {
        let target = path.as_bytes();
        let (proto, access) = (Proto::Http, Access::Read);
        let class = generic.classify(Subject {
            proto,
            access,
            target,
        });
        let got = (generic.rule_name(class.rule), class.stage);
        assert_eq!(got, (rule, stage), "{path}");
    }
}

#[test]
fn dragonfly_gives_every_route_its_label() {
    let dragonfly = Classifier::dragonfly();
    check(|row| {
        let class = dragonfly.classify(row.subject());
        differs(
            row.dragonfly?,
            &dragonfly,
            class,
            dragonfly.endpoint_name(class.endpoint),
        )
    });
}

#[test]
fn stage_is_the_same_under_every_profile() {
    let generic = Classifier::generic();
    let dragonfly = Classifier::dragonfly();
    check(|row| {
        let class = dragonfly.classify(row.subject());
        let expected = generic.classify(row.subject()).stage;
        differs(expected.name(), &dragonfly, class, class.stage.name())
    });
}

#[test]
fn a_built_in_profile_loaded_as_a_file_classifies_the_same() {
    for (built_in, text) in [
        (Classifier::generic(), GENERIC),
        (Classifier::dragonfly(), DRAGONFLY),
    ] {
        let loaded = Classifier::from_toml(text).expect("a built-in profile is a rules file");
        assert_eq!(loaded.endpoints(), built_in.endpoints());
        check(|row| {
            let (one, other) = (
                loaded.classify(row.subject()),
                built_in.classify(row.subject()),
            );
            (one != other).then(|| format!("{one:?}, not {other:?}"))
        });
    }
}
