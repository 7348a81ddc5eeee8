//! Connections as tables of what tshark tells of their segments.

use std::{net::SocketAddr, time::Duration};

use crate::http::{
    connection::{self, Connection},
    tshark::{Dissected, Flags, Segment, Segments},
};

/// A segment. The client acknowledges by rows of their own, the server always all it has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row {
    /// Both SYNs; on the same ports again, it makes another connection.
    Open,
    /// The same, and the client's has this payload (RFC 7413).
    OpenWith(&'static str),
    /// The client sends.
    C(&'static str),
    /// The server sends.
    S(&'static str),
    /// The server sends so many bytes, all of which the capture has cut.
    Bulk(u32),
    /// The server sends so many bytes in segments that the capture has left out.
    Lost(u32),
    /// The client acknowledges everything.
    Ack,
    /// The client acknowledges everything but so many bytes.
    AckBut(u32),
    ClientFin,
    ServerFin,
    /// Acknowledges nothing.
    ClientReset,
    /// Acknowledges everything.
    ClientResetAck,
    ServerReset,
    /// The segment so many before comes again.
    Again(usize),
    /// The two segments before change places.
    Swap,
    /// Another packet, from elsewhere, so many seconds later.
    Later(u64),
}

pub(super) const PORT: u16 = 8080;

pub(super) fn connections(rows: &[Row]) -> Vec<Connection> {
    let mut script = Script::default();
    for row in rows {
        script.play(*row);
    }
    let Script { segments, end, .. } = script;
    connection::sort(Segments { segments, end }, &[PORT])
}

#[derive(Default)]
struct Script {
    segments: Vec<Segment>,
    end: Duration,
    stream: u32,
    /// The next number of each, as tshark tells it: where there is no SYN, 1 is the first.
    client: u32,
    server: u32,
    /// By the client, of the server's.
    acked: u32,
}

enum From {
    Client,
    Server,
}

impl Script {
    fn play(&mut self, row: Row) {
        let none = Flags::default();
        let fin = Flags { fin: true, ..none };
        let reset = Flags {
            reset: true,
            ..none
        };
        self.client = self.client.max(1);
        self.server = self.server.max(1);
        self.acked = self.acked.max(1);
        match row {
            Row::Open => self.open(""),
            Row::OpenWith(text) => self.open(text),
            Row::C(text) => self.send(&From::Client, text.as_bytes(), len(text), none),
            Row::S(text) => self.send(&From::Server, text.as_bytes(), len(text), none),
            Row::Bulk(len) => self.send(&From::Server, b"", len, none),
            Row::Lost(len) => self.server = self.server.wrapping_add(len),
            Row::Ack => self.acknowledge(0),
            Row::AckBut(len) => self.acknowledge(len),
            Row::ClientFin => self.send(&From::Client, b"", 0, fin),
            Row::ServerFin => self.send(&From::Server, b"", 0, fin),
            Row::ClientReset => {
                self.send(&From::Client, b"", 0, reset);
                let last = self.segments.last_mut().expect("a segment");
                last.ack = None;
            }
            Row::ClientResetAck => {
                self.acked = self.server;
                self.send(&From::Client, b"", 0, reset);
            }
            Row::ServerReset => self.send(&From::Server, b"", 0, reset),
            Row::Again(before) => {
                let again = self.segments[self.segments.len() - before].clone();
                self.segments.push(again);
            }
            Row::Swap => {
                let len = self.segments.len();
                self.segments.swap(len - 2, len - 1);
            }
            Row::Later(seconds) => self.end += Duration::from_secs(seconds),
        }
    }

    fn open(&mut self, early: &str) {
        self.stream += u32::from(!self.segments.is_empty());
        (self.client, self.server, self.acked) = (0, 0, 0);
        let syn = Flags {
            syn: true,
            ..Flags::default()
        };
        self.send(&From::Client, early.as_bytes(), len(early), syn);
        self.segments.last_mut().expect("a segment").ack = None;
        self.client += 1;
        self.send(&From::Server, b"", 0, syn);
        (self.server, self.acked) = (1, 1);
    }

    fn acknowledge(&mut self, but: u32) {
        self.acked = self.server.wrapping_sub(but);
        self.send(&From::Client, b"", 0, Flags::default());
    }

    fn send(&mut self, from: &From, payload: &[u8], len: u32, flags: Flags) {
        self.end += Duration::from_millis(1);
        let client = SocketAddr::from(([10, 44, 0, 75], 29_032));
        let server = SocketAddr::from(([10, 44, 0, 1], PORT));
        let (from, to, next, ack) = match from {
            From::Client => (client, server, &mut self.client, self.acked),
            From::Server => (server, client, &mut self.server, self.client),
        };
        let seq = *next;
        *next = next.wrapping_add(len + u32::from(flags.fin));
        self.segments.push(Segment {
            time: self.end,
            stream: self.stream,
            from,
            to,
            seq,
            ack: Some(ack),
            flags,
            len: len.into(),
            payload: payload.to_vec(),
            dissected: Dissected::default(),
        });
    }
}

fn len(text: &str) -> u32 {
    u32::try_from(text.len()).expect("a segment")
}
