//! The truth of a capture, beside what others have counted in it.

use std::{fs, path::Path};

use tests::tftp::transfers;

const CAPTURES: [&str; 10] = [
    "bios-ipxe-rom-http",
    "bios-lpxelinux-http",
    "bios-pxelinux-tftp",
    "bios-pxelinux-tftp-loss",
    "bios-undionly-chain",
    "efi-pxe-shim-grub-tftp",
    "efi-pxe-snponly",
    "fail-http404",
    "fail-nbp-missing",
    "loop",
];

#[test]
fn real_boots_hold_what_was_counted_in_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/captures");
    for name in CAPTURES {
        let text = fs::read_to_string(folder.join(name).with_extension("txt")).expect("text");
        let counted = text.lines().filter(|line| line.starts_with("tftp "));
        let capture = folder.join(name).with_extension("pcap.gz");
        let found = transfers(&capture, &[69]).expect("truth");
        let found: Vec<String> = found.iter().map(|one| format!("tftp {one}")).collect();
        assert_eq!(found, counted.collect::<Vec<_>>(), "{name}");
    }
}
