//! The truth of a capture, beside what the server has logged.

use std::{collections::HashMap, fs, path::Path};

use tests::http::{Exchange, exchanges};

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

/// By capture and client: what the server logged and the capture lacks, and what it has instead.
const UNSEEN: [(&str, &str, Option<&str>); 4] = [
    // It ends while the image is sent, of which it kept the first segment.
    (
        "bios-pxelinux-tftp-loss",
        "10.44.0.75:51278 1",
        Some("GET /images/os.img 200 bytes=1448 in flight"),
    ),
    ("bios-pxelinux-tftp-loss", "10.44.0.75:51288 1", None),
    ("bios-pxelinux-tftp-loss", "10.44.0.75:51292 1", None),
    // iPXE left its connection open, and segments behind the first were left out.
    (
        "efi-pxe-snponly",
        "10.44.0.75:14009 3",
        Some("GET /initrd.img 200 bytes=1448 in flight"),
    ),
];

#[test]
fn real_boots_hold_what_their_server_logged() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/captures");
    let mut count = 0;
    for name in CAPTURES {
        let log = fs::read_to_string(folder.join(name).with_extension("log")).expect("log");
        let capture = folder.join(name).with_extension("pcap.gz");
        let found = exchanges(&capture, &[80]).expect("truth");
        assert!(found.iter().all(|exchange| !exchange.pipelined), "{name}");
        let found: Vec<String> = found.iter().map(said).collect();
        let logged: Vec<String> = log.lines().filter_map(|row| expected(name, row)).collect();
        assert_eq!(found, logged, "{name}");
        count += found.len();
    }
    assert_eq!(count, 38);
}

#[test]
fn only_the_ports_asked_for_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/captures");
    let found = exchanges(&folder.join("fail-http404.pcap.gz"), &[8080]).expect("truth");
    assert_eq!(found, []);
}

fn said(exchange: &Exchange) -> String {
    format!("{} {exchange}", exchange.client)
}

fn expected(name: &str, row: &str) -> Option<String> {
    let (asked, told) = logged(row);
    let unseen = UNSEEN
        .iter()
        .find(|(capture, client, _)| *capture == name && *client == asked);
    let told = match unseen {
        Some((_, _, instead)) => (*instead)?.to_owned(),
        None => told,
    };
    Some(format!("{asked} {told}"))
}

/// Client and number, and what came of it, as we would say it.
fn logged(row: &str) -> (String, String) {
    let (before, rest) = row.split_once('"').expect("a request");
    let (request, behind) = rest.split_once('"').expect("its end");
    let [_, client, connection] = fields(before);
    let (_, number) = connection.split_once('/').expect("a number");
    let [method, target, _] = fields(request);
    let status = behind.split_whitespace().next().expect("a status");
    let values: HashMap<&str, &str> = behind
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .collect();
    assert_eq!(values["complete"], "OK", "{row}");
    let told = format!(
        "{method} {target} {status} bytes={} complete",
        values["bytes"]
    );
    (format!("{client} {number}"), told)
}

fn fields<const N: usize>(text: &str) -> [&str; N] {
    let fields: Vec<&str> = text.split_whitespace().collect();
    fields.try_into().expect(text)
}
