//! Tables of requests: a row a line, columns apart by tabs, paths escaped.

use std::io::BufRead;

use anyhow::{Context as _, bail};

use crate::model::classify::{Access, Proto, Subject, escape::unescape};

/// A request as a row of a table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    proto: Proto,
    access: Access,
    target: Vec<u8>,
}

impl Request {
    pub(super) fn new(proto: Proto, method: &[u8], target: Vec<u8>) -> Self {
        Self {
            proto,
            access: Access::of(proto, method),
            target,
        }
    }

    /// From the columns protocol, method and escaped path.
    pub(super) fn parse(proto: &[u8], method: &[u8], path: &[u8]) -> anyhow::Result<Self> {
        let proto = match proto {
            b"http" => Proto::Http,
            b"tftp" => Proto::Tftp,
            _ => bail!("the protocol is neither `http` nor `tftp`"),
        };
        Ok(Self::new(proto, method, unescape(path)?))
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            proto: self.proto,
            access: self.access,
            target: &self.target,
        }
    }

    pub(super) fn target(&self) -> &[u8] {
        &self.target
    }
}

/// Calls `row` with the number and the columns of each line that is neither empty nor a
/// comment nor a header.
pub(super) fn for_each_row(
    input: &mut dyn BufRead,
    mut row: impl FnMut(usize, &[&[u8]]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if text.is_empty() || text.starts_with(b"#") {
            continue;
        }
        let columns: Vec<&[u8]> = text.split(|b| *b == b'\t').collect();
        if let [b"proto", b"method", ..] = *columns {
            continue;
        }
        row(number, &columns).with_context(|| format!("line {number}"))?;
    }
    Ok(())
}
