//! What holds for any request, and the automata held against another regex engine.

use std::sync::LazyLock;

use proptest::{collection::vec, prelude::*, sample::select};
use regex::bytes::{Regex, RegexBuilder};

use super::{document::Document, normalise::Malformed, *};

static PROFILES: LazyLock<[Classifier; 3]> = LazyLock::new(|| {
    let own = "[[rule]]\nid = 'a'\npath = ['^a']\nendpoint = 'mine'\nstage = 'image'\n";
    [
        Classifier::generic(),
        Classifier::dragonfly(),
        Classifier::from_toml(own).expect("the rules are good"),
    ]
});

/// Pieces that real paths are made of, and pieces that are there to confuse.
const PIECES: &[&str] = &[
    "/",
    "/",
    "/",
    ".",
    "-",
    "_",
    ":",
    "..",
    "./",
    "\\",
    "%",
    "%2f",
    "%2e",
    "%25",
    "%252e",
    "%00",
    "%0a",
    "?",
    "#",
    ";mode=octet",
    "\0",
    "\u{1b}[31m",
    "é",
    " ",
    "http://h",
    "a",
    "B",
    "0",
    "7f",
    "52:54:00:ab:cd:ef",
    "525400abcdef",
    "5254.00ab.cdef",
    "01-52-54-00-ab-cd-ef",
    "boot",
    "images",
    "os",
    "ipxe",
    "v1",
    "v2",
    "api",
    "_",
    "file?type=kernel",
    "unattended",
    "kernel",
    "initramfs",
    "image",
    "vmlinuz",
    "initrd",
    "rootfs",
    "linux",
    "xen",
    "memtest",
    "pxelinux",
    "pxelinux.cfg",
    "grub",
    "grub.cfg",
    "menu.lst",
    "default",
    "user-data",
    "repodata",
    "pool",
    "start",
    "recovery",
    ".img",
    ".efi",
    ".iso",
    ".gz",
    ".xz",
    ".cfg",
    ".0",
    ".bin",
    ".elf",
    ".png",
    ".txt",
    ".sig",
    ".ipxe",
    ".php",
    ".tar",
    ".v00",
    ".sha256",
    ".rpm",
    ".conf",
    ".kpxe",
    "-confg",
    "{x}",
    "*",
    "-00-23b1e307bb35484f535a1f772c06910e-d887dc3912240434-01",
];

fn target() -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat().into_bytes());
    let long = (select(PIECES), 0..70_000_usize)
        .prop_map(|(piece, length)| piece.bytes().cycle().take(length).collect());
    prop_oneof![8 => pieces, 2 => any::<Vec<u8>>(), 1 => long]
}

fn proto() -> impl Strategy<Value = Proto> {
    select(&[Proto::Http, Proto::Tftp][..])
}

fn access() -> impl Strategy<Value = Access> {
    select(&[Access::Read, Access::Write, Access::Other][..])
}

/// A normalised path, as a target that means it.
fn respell(path: &[u8]) -> Vec<u8> {
    let mut target = b"/".to_vec();
    for &byte in path {
        match byte {
            b'%' | b'?' | b'#' => target.extend(format!("%{byte:02X}").into_bytes()),
            _ => target.push(byte),
        }
    }
    target
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_request_has_a_class_of_the_profile(
        proto in proto(), access in access(), target in target(),
    ) {
        let subject = Subject { proto, access, target: &target };
        for profile in &*PROFILES {
            let class = profile.classify(subject);
            prop_assert!(class.endpoint.index() < profile.endpoints().len());
            prop_assert!(!profile.rule_name(class.rule).is_empty());
            prop_assert_eq!(class, profile.classify(subject));
            if access == Access::Other {
                prop_assert_eq!((class.endpoint, class.stage), (profile.other(), Stage::Other));
            }
        }
    }

    #[test]
    fn normalisation_is_idempotent_and_clean(proto in proto(), target in target()) {
        let (mut room, mut again) = ([0; ROOM], [0; ROOM]);
        let access = Access::Read;
        if let Ok(once) = normalise(Subject { proto, access, target: &target }, &mut room) {
            prop_assert!(once.path.len() <= 2048);
            prop_assert!(!once.path.iter().any(|b| b.is_ascii_uppercase() || b.is_ascii_control()));
            prop_assert!(once.path.split(|b| *b == b'/').all(|s| s != b"." && (s != b"" || once.path.is_empty())));
            let respelt = respell(once.path);
            let twice = normalise(Subject { proto, access, target: &respelt }, &mut again);
            prop_assert_eq!(twice.map(|n| n.path), Ok(once.path));
        }
    }

    #[test]
    fn the_first_rule_that_holds_decides(proto in proto(), access in access(), target in target()) {
        let subject = Subject { proto, access, target: &target };
        let [generic, ..] = &*PROFILES;
        let expected = match normalise(subject, &mut [0; ROOM]) {
            Ok(normal) => REFERENCE.first(subject, &normal),
            Err(malformed) => RuleId::malformed(malformed),
        };
        let got = generic.classify(subject).rule;
        prop_assert_eq!(generic.rule_name(got), generic.rule_name(expected));
    }
}

/// The generic rules as they are written: one regex after the other.
static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
    let document = Document::parse(GENERIC).expect("a built-in profile parses");
    Reference(document.rule.iter().map(ReferenceRule::new).collect())
});

struct Reference(Vec<ReferenceRule>);

struct ReferenceRule {
    proto: Option<Proto>,
    access: Option<Access>,
    file_only: bool,
    query: Option<Regex>,
    path: Option<Vec<Regex>>,
}

impl ReferenceRule {
    fn new(rule: &document::RuleText) -> Self {
        let path = rule.path.as_ref().map(|path| path.get_ref().iter());
        Self {
            proto: rule.proto,
            access: rule.access.map(Access::from),
            file_only: rule.file_only,
            query: rule.query.as_ref().map(|query| regex(query.get_ref())),
            path: path.map(|path| path.map(|one| regex(one.get_ref())).collect()),
        }
    }

    fn holds(&self, subject: Subject<'_>, normal: &normalise::Normal<'_>) -> bool {
        self.proto.is_none_or(|proto| proto == subject.proto)
            && self.access.is_none_or(|access| access == subject.access)
            && !(self.file_only && normal.directory)
            && self
                .query
                .as_ref()
                .is_none_or(|query| query.is_match(normal.query))
            && self
                .path
                .as_ref()
                .is_none_or(|path| path.iter().any(|one| one.is_match(normal.path)))
    }
}

impl Reference {
    fn first(&self, subject: Subject<'_>, normal: &normalise::Normal<'_>) -> RuleId {
        let first = (0..)
            .zip(&self.0)
            .find(|(_, rule)| rule.holds(subject, normal));
        first.map_or(RuleId::UNMATCHED, |(number, _)| RuleId::numbered(number))
    }
}

fn regex(pattern: &str) -> Regex {
    let mut builder = RegexBuilder::new(pattern);
    builder
        .unicode(false)
        .build()
        .expect("the rules' regexes are good")
}

#[test]
fn a_million_hostile_paths_add_no_label() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 33).expect("31 bits fit") % below
    };
    let [generic, ..] = &*PROFILES;
    let mut seen = [0_u32; MAX_ENDPOINTS];
    let mut target = Vec::new();
    for turn in 0..1_000_000 {
        target.clear();
        target.extend_from_slice(b"/");
        for _ in 0..=next(5) {
            target.extend_from_slice(PIECES[next(PIECES.len())].as_bytes());
        }
        if turn % 10_000 == 0 {
            target.resize(64 << 10, b'A');
        }
        let proto = if next(2) == 0 {
            Proto::Http
        } else {
            Proto::Tftp
        };
        let access = if next(4) == 0 {
            Access::Write
        } else {
            Access::Read
        };
        let class = generic.classify(Subject {
            proto,
            access,
            target: &target,
        });
        seen[class.endpoint.index()] += 1;
    }
    let (known, unknown) = seen.split_at(Stage::ALL.len());
    assert!(
        known.iter().all(|count| *count > 0),
        "a stage that nothing was: {known:?}"
    );
    assert!(unknown.iter().all(|count| *count == 0), "{unknown:?}");
}

#[test]
fn malformed_requests_are_other_under_every_profile() {
    let long = [b"/images/", &b"a".repeat(2048)[..], b".iso"].concat();
    for (proto, access, target, why) in [
        (
            Proto::Http,
            Access::Other,
            &b"/images/a.iso"[..],
            Malformed::Method,
        ),
        (Proto::Tftp, Access::Other, b"a.iso", Malformed::Method),
        (Proto::Http, Access::Read, b"*", Malformed::Asterisk),
        (
            Proto::Http,
            Access::Write,
            b"/api/%00",
            Malformed::ControlByte,
        ),
        (Proto::Http, Access::Read, &long, Malformed::TooLong),
        (Proto::Tftp, Access::Read, b"\xff\xff", Malformed::EmptyName),
    ] {
        for profile in &*PROFILES {
            let class = profile.classify(Subject {
                proto,
                access,
                target,
            });
            assert_eq!(class.rule, RuleId::malformed(why));
            assert_eq!(
                (class.endpoint, class.stage),
                (profile.other(), Stage::Other)
            );
        }
    }
}
