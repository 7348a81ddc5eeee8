//! What a peer can put into a head: any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observer_user::model::http::{Method, Read, read_request, read_response};

fuzz_target!(|bytes: &[u8]| {
    if let Read::Whole(_, len) = read_request(bytes) {
        assert!(len <= bytes.len());
    }
    for asked in Method::ALL {
        if let Read::Whole(head, len) = read_response(bytes, asked) {
            assert!(len <= bytes.len());
            assert!((100..600).contains(&head.status.code()));
        }
    }
});
