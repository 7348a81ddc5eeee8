//! Rules files: what they can say, and what they are refused for.

use super::*;

/// A rule with these lines beside its id and endpoint.
fn rule(lines: &str) -> String {
    format!("[[rule]]\nid = 'one'\nendpoint = 'mine'\n{lines}\n")
}

fn refused(text: &str, line: usize, column: usize, what: &str) {
    let error = Classifier::from_toml(text).map(drop).expect_err(text);
    let got = error.to_string();
    assert_eq!(
        (error.line(), error.column()),
        (line, column),
        "{got}\n{text}"
    );
    assert!(got.contains(what), "{got}\n{text}");
}

fn classified(rules: &str, proto: Proto, access: Access, target: &str) -> (String, Stage, String) {
    let classifier = Classifier::from_toml(rules).expect("the rules are good");
    let target = target.as_bytes();
    let class = classifier.classify(Subject {
        proto,
        access,
        target,
    });
    let endpoint = classifier.endpoint_name(class.endpoint).to_owned();
    (
        endpoint,
        class.stage,
        classifier.rule_name(class.rule).to_owned(),
    )
}

#[test]
fn each_condition_is_needed() {
    use Access::{Read, Write};
    use Proto::{Http, Tftp};
    for (lines, proto, access, target, holds) in [
        ("", Http, Read, "/x", true),
        ("proto = 'http'", Http, Read, "/x", true),
        ("proto = 'http'", Tftp, Read, "/x", false),
        ("access = 'write'", Http, Write, "/x", true),
        ("access = 'write'", Http, Read, "/x", false),
        ("access = 'read'", Http, Write, "/x", false),
        ("path = ['^a', 'b$']", Http, Read, "/A/c", true),
        ("path = ['^a', 'b$']", Http, Read, "/c/b", true),
        ("path = ['^a', 'b$']", Http, Read, "/b/a", false),
        ("query = '^q=1$'", Http, Read, "/x?q=1", true),
        ("query = '^q=1$'", Http, Read, "/x?q=1&r", false),
        ("query = '^$'", Http, Read, "/x", true),
        ("path = ['a']\nquery = 'b'", Http, Read, "/a?b", true),
        ("path = ['a']\nquery = 'b'", Http, Read, "/c?b", false),
        ("path = ['a']\nquery = 'b'", Http, Read, "/a?c", false),
        ("file_only = true", Http, Read, "/x", true),
        ("file_only = true", Http, Read, "/x/", false),
    ] {
        let (endpoint, _, by) = classified(&rule(lines), proto, access, target);
        let expected = if holds {
            ("mine", "one")
        } else {
            ("other", "(unmatched)")
        };
        assert_eq!(
            (&*endpoint, &*by),
            expected,
            "{lines}: {proto:?} {access:?} {target}"
        );
    }
}

#[test]
fn the_first_rule_wins_also_past_a_query_that_does_not_match() {
    let rules = "
        [[rule]]
        id = 'first'
        path = ['a']
        query = 'q'
        endpoint = 'queried'
        [[rule]]
        id = 'second'
        path = ['a']
        endpoint = 'plain'
        [[rule]]
        id = 'third'
        endpoint = 'queried'
    ";
    for (target, expected) in [("/a?q", "first"), ("/a?r", "second"), ("/b?q", "third")] {
        let (_, _, by) = classified(rules, Proto::Http, Access::Read, target);
        assert_eq!(by, expected, "{target}");
    }
}

#[test]
fn a_rule_may_set_the_stage() {
    let stage = |lines| classified(&rule(lines), Proto::Http, Access::Read, "/x.iso").1;
    assert_eq!(stage(""), Stage::Image);
    assert_eq!(stage("stage = 'install_config'"), Stage::InstallConfig);
    assert_eq!(stage("stage = 'api'\npath = ['no']"), Stage::Image);
}

fn endpoint(classifier: &Classifier, target: &str) -> (usize, String) {
    let subject = Subject {
        proto: Proto::Http,
        access: Access::Read,
        target: target.as_bytes(),
    };
    let endpoint = classifier.classify(subject).endpoint;
    (
        endpoint.index(),
        classifier.endpoint_name(endpoint).to_owned(),
    )
}

#[test]
fn endpoints_of_rules_that_succeed_others_keep_their_numbers() {
    let rules = |rules: &[(&str, &str)]| {
        let rule = |(path, endpoint): &(&str, &str)| {
            format!("[[rule]]\nid = '{endpoint}'\npath = ['{path}$']\nendpoint = '{endpoint}'\n")
        };
        let text: String = rules.iter().map(rule).collect();
        Classifier::from_toml(&text).expect("rules")
    };
    let before = rules(&[("a", "one"), ("b", "two")]);
    let after = rules(&[("a", "three"), ("b", "one")]);
    let after = after.succeeding(&before).expect("few");
    let names: Vec<&str> = after.endpoints().iter().map(AsRef::as_ref).collect();
    assert_eq!(names, ["one", "two", "other", "three"]);
    for (target, expected) in [
        ("/a", (3, "three")),
        ("/b", (0, "one")),
        ("/c", (2, "other")),
    ] {
        let (index, name) = endpoint(&after, target);
        assert_eq!((index, name.as_str()), expected, "{target}");
    }
    assert_eq!(after.other().index(), 2);
    // Built-in rules, too, and back again.
    let generic = Classifier::generic().succeeding(&after).expect("few");
    assert_eq!(endpoint(&generic, "/vmlinuz").1, "kernel");
    let again = rules(&[("a", "three")]).succeeding(&generic).expect("few");
    assert_eq!(endpoint(&again, "/a"), (3, "three".to_owned()));
    assert_eq!(again.endpoints().len(), generic.endpoints().len());
}

#[test]
fn more_endpoints_than_there_may_be_do_not_succeed_others() {
    let rules = |names: std::ops::Range<usize>| {
        let rule = |n| format!("[[rule]]\nid = 'r{n}'\nendpoint = 'e{n}'\n");
        let text: String = names.map(rule).collect();
        Classifier::from_toml(&text).expect("rules")
    };
    let before = rules(0..16);
    assert!(rules(10..31).succeeding(&before).is_ok(), "32 together");
    let refused = rules(10..32).succeeding(&before).expect_err("33 together");
    assert!(refused.to_string().starts_with("33 endpoints"), "{refused}");
}

#[test]
fn endpoints_stand_in_order_of_use_and_other_is_last() {
    let text = "[[rule]]\nid='1'\nendpoint='other'\n[[rule]]\nid='2'\nendpoint='b'\n\
                [[rule]]\nid='3'\nendpoint='a'\n[[rule]]\nid='4'\nendpoint='b'\n";
    let classifier = Classifier::from_toml(text).expect("the rules are good");
    let names: Vec<&str> = classifier.endpoints().iter().map(|name| &**name).collect();
    assert_eq!(names, ["b", "a", "other"]);
    assert_eq!(classifier.endpoint_name(classifier.other()), "other");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, line, column, what) in [
        ("", 1, 1, "missing field `rule`"),
        ("[[rule]\n", 1, 8, "unclosed array table"),
        ("[[rule]]\nid = 'a'\n", 1, 1, "missing field `endpoint`"),
        ("[[rules]]\n", 1, 3, "unknown field `rules`"),
        (&rule("pat = 'x'"), 4, 1, "unknown field `pat`"),
        (&rule("proto = 'ftp'"), 4, 9, "unknown variant `ftp`"),
        (&rule("access = 'other'"), 4, 10, "unknown variant `other`"),
        (&rule("stage = 'kernal'"), 4, 9, "unknown variant `kernal`"),
        (&rule("path = 'x'"), 4, 8, "expected a sequence"),
        (&rule("path = []"), 4, 8, "an empty list matches no path"),
        (
            &rule("path = ['ab', 'c(d']"),
            4,
            17,
            "bad regex: unclosed group",
        ),
        (
            &rule("path = [\"a\\t(\"]"),
            4,
            9,
            "bad regex: unclosed group",
        ),
        (&rule("path = ['a(?=b)']"), 4, 11, "look-around"),
        (&rule("path = ['\\pL']"), 4, 10, "Unicode not allowed here"),
        (
            &rule("query = 'ä['"),
            4,
            11,
            "bad regex: unclosed character class",
        ),
        (
            &rule("path = ['(a{1000}){1000}']"),
            4,
            9,
            "this regex is too large",
        ),
        (
            &rule("path = ['a.{40}$']\nquery = 'a.{40}b'"),
            5,
            9,
            "this regex is too large",
        ),
        (
            "[[rule]]\nid = 'a'\nendpoint = 'Mine'\n",
            3,
            12,
            "1 to 64 of [a-z0-9_]",
        ),
        (
            "[[rule]]\nid = 'a'\nendpoint = ''\n",
            3,
            12,
            "1 to 64 of [a-z0-9_]",
        ),
        (
            "[[rule]]\nid = '(a)'\nendpoint = 'a'\n",
            2,
            6,
            "1 to 64 of [A-Za-z0-9_.-]",
        ),
        (&rule("").repeat(2), 6, 6, "an earlier rule has the same id"),
    ] {
        refused(text, line, column, what);
    }
}

fn many(rules: usize, endpoints: usize) -> String {
    let rule = |n: usize| {
        let endpoint = n % endpoints;
        format!("[[rule]]\nid = 'r{n}'\npath = ['^{n}$']\nendpoint = 'e{endpoint}'\n")
    };
    (0..rules).map(rule).collect()
}

#[test]
fn at_most_32_endpoints_and_128_rules() {
    let endpoints = |text: &str| Classifier::from_toml(text).map(|c| c.endpoints().len());
    assert_eq!(endpoints(&many(128, 31)), Ok(32));
    refused(
        &many(32, 32),
        31 * 4 + 4,
        12,
        "more than 32 endpoints, `other` included",
    );
    refused(&many(129, 31), 128 * 4 + 2, 6, "more than 128 rules");
    let long = "e".repeat(65);
    refused(&rule("").replace("mine", &long), 3, 12, "1 to 64");
    let other = many(31, 31) + "[[rule]]\nid = 'o'\nendpoint = 'other'\n";
    assert_eq!(endpoints(&other), Ok(32));
}

#[test]
fn rules_that_are_too_large_only_together_are_refused() {
    let rule = |n: usize| {
        let dots = if n == 7 { 11 } else { 10 };
        format!("[[rule]]\nid = 'r{n}'\npath = ['a{n}.{{{dots}}}b']\nendpoint = 'a'\n")
    };
    let text = |rules| -> String { (0..rules).map(rule).collect() };
    Classifier::from_toml(&text(4)).expect("these are small enough");
    refused(&text(16), 7 * 4 + 2, 6, "too large together");
}
