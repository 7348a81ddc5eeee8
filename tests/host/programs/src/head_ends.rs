//! Where a head ends: with `bpf_loop` and without, and as who looks at each byte would say.

use aya_ebpf::{bindings::__sk_buff, programs::SkBuffContext};
use proptest::prelude::*;

use crate::blank_line;

/// What is said by a search from the beginning, and with a look at the end first, both ways.
fn said(head: &[u8]) -> [u32; 3] {
    let len = u32::try_from(head.len()).expect("short");
    let mut skb = __sk_buff::new(head, len, None);
    let ctx = SkBuffContext::new(&raw mut skb);
    [
        blank_line::end(&ctx, 0, len),
        blank_line::end_likely_last::<true>(&ctx, 0, len),
        blank_line::end_likely_last::<false>(&ctx, 0, len),
    ]
}

fn end(head: &[u8]) -> u32 {
    let at = head.windows(4).position(|four| four == b"\r\n\r\n");
    at.map_or(0, |at| u32::try_from(at).expect("short") + 4)
}

#[test]
fn it_ends_behind_its_first_blank_line_wherever_that_is() {
    for at in 0..2_040 {
        let mut head = vec![b'x'; at];
        head.extend(b"\r\n\r\n");
        let behind = u32::try_from(head.len()).expect("short");
        assert_eq!(said(&head), [behind; 3], "{at}");
        // So that it is not in the last window.
        head.extend([b'x'; 100]);
        assert_eq!(said(&head), [behind; 3], "{at}, and more");
    }
}

#[test]
fn far_behind_it_is_found_where_its_segment_ends() {
    let mut head = vec![b'x'; 3_000];
    head.extend(b"\r\n\r\n");
    assert_eq!(said(&head), [3_004; 3]);
    head.push(b'x');
    assert_eq!(said(&head), [0; 3]);
}

proptest! {
    #[test]
    fn it_ends_where_who_looks_at_each_byte_says(head in "[x\r\n]{0,300}") {
        let [search, ..] = said(head.as_bytes());
        prop_assert_eq!(search, end(head.as_bytes()));
        // It does not end with a blank line: so all have to search.
        let head = head + "x";
        prop_assert_eq!(said(head.as_bytes()), [end(head.as_bytes()); 3]);
    }
}
