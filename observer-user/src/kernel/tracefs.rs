//! How this kernel lays out the records of the classic tracepoints.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

/// The layouts of the `tcp_event_sk` class that exist (include/trace/events/tcp.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TcpEvent {
    /// Up to 5.17.
    WithoutFamily,
    /// `family` stands before the addresses.
    WithFamily,
}

/// Field, offset, and whether it is the one that tells the layouts apart.
const COMMON: [(&str, u32); 3] = [("sport", 16), ("dport", 18), ("sock_cookie", 64)];

/// The layout here, read from both tracepoints that we use.
pub(super) fn tcp_event_layout() -> Result<TcpEvent> {
    let recv = layout(&format("tcp_rcv_space_adjust")?)?;
    let destroy = layout(&format("tcp_destroy_sock")?)?;
    ensure!(
        recv == destroy,
        "tcp_rcv_space_adjust and tcp_destroy_sock have different records"
    );
    Ok(recv)
}

fn format(tracepoint: &str) -> Result<String> {
    let places = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
    let path = |root| {
        PathBuf::from(root)
            .join("events/tcp")
            .join(tracepoint)
            .join("format")
    };
    places.into_iter().find_map(|root| fs::read_to_string(path(root)).ok()).with_context(|| {
        format!(
            "no format of tracepoint tcp:{tracepoint} in {}: `mount -t tracefs nodev {}` fixes it where tracefs is not mounted",
            places.join(" or "),
            places[0]
        )
    })
}

/// Decides by the `format` file; an unknown layout is refused, never guessed.
fn layout(format: &str) -> Result<TcpEvent> {
    for (field, expected) in COMMON {
        let found = offset(format, field);
        ensure!(
            found == Some(expected),
            "field {field} is at {found:?}, not at {expected}"
        );
    }
    match (offset(format, "saddr_v6"), offset(format, "daddr_v6")) {
        (Some(28), Some(44)) => Ok(TcpEvent::WithoutFamily),
        (Some(30), Some(46)) => Ok(TcpEvent::WithFamily),
        other => bail!("saddr_v6 and daddr_v6 are at {other:?}"),
    }
}

/// The offset of a field: `\tfield:__u16 sport;\toffset:16;\tsize:2;...`.
fn offset(format: &str, field: &str) -> Option<u32> {
    let line = format.lines().find(|line| {
        let declaration = line.split(';').next().unwrap_or_default();
        let name = declaration.rsplit(' ').next().unwrap_or_default();
        name.split('[').next() == Some(field)
    })?;
    line.split("offset:")
        .nth(1)?
        .split(';')
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 5.10 and 6.1 print it, the parts that are read.
    fn record(saddr_v6: u32, daddr_v6: u32) -> String {
        format!(
            "name: tcp_destroy_sock\nformat:\n\
             \tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;\n\
             \tfield:__u16 sport;\toffset:16;\tsize:2;\tsigned:0;\n\
             \tfield:__u16 dport;\toffset:18;\tsize:2;\tsigned:0;\n\
             \tfield:__u8 saddr[4];\toffset:20;\tsize:4;\tsigned:0;\n\
             \tfield:__u8 saddr_v6[16];\toffset:{saddr_v6};\tsize:16;\tsigned:0;\n\
             \tfield:__u8 daddr_v6[16];\toffset:{daddr_v6};\tsize:16;\tsigned:0;\n\
             \tfield:__u64 sock_cookie;\toffset:64;\tsize:8;\tsigned:0;\n"
        )
    }

    #[test]
    fn both_layouts_are_told_apart() {
        assert_eq!(
            layout(&record(28, 44)).expect("5.10"),
            TcpEvent::WithoutFamily
        );
        assert_eq!(layout(&record(30, 46)).expect("6.1"), TcpEvent::WithFamily);
    }

    #[test]
    fn an_unknown_layout_is_refused() {
        assert!(layout(&record(32, 48)).is_err());
        assert!(layout(&record(28, 44).replace("offset:64", "offset:72")).is_err());
        assert!(layout("").is_err());
    }
}
