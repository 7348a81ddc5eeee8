//! Any bytes as a target: a class of the profile, the same twice.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use observer_user::model::classify::{Access, Classifier, Proto, Subject};

static PROFILES: LazyLock<[Classifier; 2]> =
    LazyLock::new(|| [Classifier::generic(), Classifier::dragonfly()]);

fuzz_target!(|input: (bool, bool, &[u8])| {
    let (tftp, write, target) = input;
    let proto = if tftp { Proto::Tftp } else { Proto::Http };
    let access = if write { Access::Write } else { Access::Read };
    let subject = Subject {
        proto,
        access,
        target,
    };
    for profile in &*PROFILES {
        let class = profile.classify(subject);
        assert!(class.endpoint.index() < profile.endpoints().len());
        assert_eq!(class, profile.classify(subject));
    }
});
