//! The head of a message: a first line and fields (RFC 9112).

/// A head, or what there is of it behind its first line.
#[derive(Debug, PartialEq)]
pub(super) struct Head {
    /// Without its line end.
    pub(super) line: Vec<u8>,
    /// Names in lower case, and values.
    fields: Vec<(String, String)>,
    /// With the empty line.
    pub(super) len: u64,
    /// Its empty line was seen.
    pub(super) is_whole: bool,
}

/// How a message says where it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    /// Nothing, or what contradicts itself.
    Unsaid,
}

impl Head {
    /// `None` until the first line is whole.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let first = lines.next()?;
        let mut head = Self {
            line: line(first)?.to_vec(),
            fields: Vec::new(),
            len: first.len() as u64,
            is_whole: false,
        };
        for raw in lines {
            let Some(line) = line(raw) else { break };
            head.len += raw.len() as u64;
            if line.is_empty() {
                head.is_whole = true;
                break;
            }
            let text = String::from_utf8_lossy(line);
            if let Some((name, value)) = text.split_once(':') {
                let value = value.trim().to_owned();
                head.fields.push((name.to_ascii_lowercase(), value));
            }
        }
        Some(head)
    }

    /// Chunks beat a length (RFC 9112, 6.3).
    pub(super) fn framing(&self) -> Framing {
        if let Some(coding) = self.values("transfer-encoding").last() {
            return match coding.eq_ignore_ascii_case("chunked") {
                true => Framing::Chunked,
                false => Framing::Unsaid,
            };
        }
        let mut lengths = self.values("content-length").map(str::parse::<u64>);
        let Some(Ok(length)) = lengths.next() else {
            return Framing::Unsaid;
        };
        match lengths.all(|other| other == Ok(length)) {
            true => Framing::Length(length),
            false => Framing::Unsaid,
        }
    }

    /// Of a field that is a list.
    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().filter(move |(found, _)| found == name);
        fields.flat_map(|(_, value)| value.split(',').map(str::trim))
    }
}

/// A bare LF ends a line, too (RFC 9112, 2.2).
fn line(raw: &[u8]) -> Option<&[u8]> {
    let line = raw.strip_suffix(b"\n")?;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_to_its_empty_line() {
        let check = |bytes: &str, expected: Option<(&str, u64, bool)>| {
            let head = Head::read(bytes.as_bytes());
            let line = |head: &Head| String::from_utf8_lossy(&head.line).into_owned();
            let head = head.map(|head| (line(&head), head.len, head.is_whole));
            let expected = expected.map(|(line, len, whole)| (line.to_owned(), len, whole));
            assert_eq!(head, expected, "{bytes:?}");
        };
        check("GET / HTTP/1.1", None);
        check("GET / HTTP/1.1\r\n", Some(("GET / HTTP/1.1", 16, false)));
        check(
            "GET / HTTP/1.1\r\n\r\nX",
            Some(("GET / HTTP/1.1", 18, true)),
        );
        check("GET / HTTP/1.1\n\nX\n", Some(("GET / HTTP/1.1", 16, true)));
        check("A\r\nB: c\r\nD", Some(("A", 9, false)));
    }

    #[test]
    fn a_message_says_where_it_ends() {
        let check = |fields: &str, framing: Framing| {
            let head = Head::read(format!("A\r\n{fields}\r\n\r\n").as_bytes()).expect("a head");
            assert_eq!(head.framing(), framing, "{fields}");
        };
        check("content-LENGTH:  17 ", Framing::Length(17));
        check("Content-Length: 17, 17", Framing::Length(17));
        check("Content-Length: 17\r\nContent-Length: 18", Framing::Unsaid);
        check(
            "Content-Length: 17\r\nTransfer-Encoding: gzip, Chunked",
            Framing::Chunked,
        );
        check(
            "Content-Length: 17\r\nTransfer-Encoding: gzip",
            Framing::Unsaid,
        );
        check("Host: a", Framing::Unsaid);
    }
}
