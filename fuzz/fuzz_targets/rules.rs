//! Any text as a rules file: refused with a place in it, or a whole profile.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observer_user::model::classify::{Classifier, MAX_ENDPOINTS};

fuzz_target!(|text: &str| match Classifier::from_toml(text) {
    Ok(profile) => {
        let names = profile.endpoints();
        assert!(names.len() <= MAX_ENDPOINTS);
        assert_eq!(names.last().map(|name| &**name), Some("other"));
    }
    Err(error) => {
        let line = text.split('\n').nth(error.line() - 1);
        let line = line.expect("the line is one of the file's");
        assert!(error.column() <= line.chars().count() + 1);
    }
});
