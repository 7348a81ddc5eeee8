//! HTTP/1.x, told by others: the exchanges that a capture holds.
//!
//! Nothing here shares code with the observer: it is what the observer is compared with.
//! tshark finds the segments, their connections, relative sequence numbers and lengths;
//! [`exchanges`] is what they add up to. The heads that tshark dissects by itself must be
//! ours, too.
//!
//! What a capture must have: of each segment its headers, and of each head all bytes. One that
//! lacks bytes of a head is refused, not guessed at. Bodies may be cut or left out. Then:
//!
//! - The end of a chunked body cannot be read. It is taken to end where the client's next request
//!   acknowledges it, or where the server closed, if the client had not reset before; one that
//!   the server cut short by closing passes for complete. On a connection that nobody closes, it
//!   is in flight.
//! - Answers to pipelined requests begin where the one before ends, within a segment, too: their
//!   heads are in captures of whole segments only.
//! - Where acknowledgements were left out, what nobody acknowledges later is in flight.
//!
//! Also: a connection that the capture joins midway begins with the first segment that is a
//! request; whatever isn't HTTP/1.x from its first byte has no exchange; requests that the server
//! read no more, behind an answer that closes, are exchanges without an answer.

mod agree;
mod answer;
mod body;
mod connection;
mod exchange;
mod flow;
mod head;
mod request;
mod tshark;
mod walk;

use std::path::Path;

use anyhow::{Context as _, Result};

pub use exchange::{Exchange, Outcome, Side};

/// All exchanges of connections to one of `ports`, in the order of their requests' first bytes.
pub fn exchanges(capture: &Path, ports: &[u16]) -> Result<Vec<Exchange>> {
    let segments = tshark::read(capture, ports)?;
    let mut exchanges = Vec::new();
    for connection in connection::sort(segments, ports) {
        let name = || format!("{} to {}", connection.client, connection.server);
        let walked = walk::walk(&connection).with_context(name)?;
        agree::check(&connection, &walked).with_context(name)?;
        exchanges.extend(walked.exchanges);
    }
    exchanges.sort_by_key(|exchange| (exchange.start, exchange.client, exchange.number));
    Ok(exchanges)
}
