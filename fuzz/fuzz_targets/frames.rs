//! The kernel side's framing against what user space reads of the same head: they agree, or the
//! kernel side says that it cannot tell.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observer_common::frame::{Fed, Framer};
use observer_user::model::http::{Framing, Method, Read, read_response};

fuzz_target!(|bytes: &[u8]| {
    for method in [Method::Get, Method::Head] {
        let mut framer = Framer::default();
        let mut fed = Fed::More;
        let mut at = 0;
        while fed == Fed::More && at < bytes.len() {
            fed = framer.feed(bytes[at], method == Method::Head);
            at += 1;
        }
        let Read::Whole(head, len) = read_response(bytes, method) else {
            continue;
        };
        if fed == Fed::Broken {
            continue;
        }
        assert_eq!(at, len, "where the head ends");
        match head.framing {
            _ if head.status.is_interim() => assert_eq!(fed, Fed::Interim),
            _ if head.status.is_upgrade() => assert!(framer.ends_with_connection()),
            Framing::Length(0) => assert_eq!(fed, Fed::End),
            Framing::Length(body) => assert_eq!((fed, framer.opaque()), (Fed::Head, body)),
            Framing::Chunked => {
                assert_eq!((fed, framer.opaque()), (Fed::Head, 0));
            }
            Framing::Close => assert!(framer.ends_with_connection()),
        }
    }
});
