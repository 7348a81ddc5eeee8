//! What a connection's bytes and its end add up to.

use anyhow::Result;

use super::{
    answer::{self, Answer},
    connection::{Connection, Event},
    exchange::{Exchange, Outcome, Side},
    flow::FIRST,
    request,
};

/// A connection, read.
pub(super) struct Walked {
    pub(super) exchanges: Vec<Exchange>,
    /// Of all response heads, interim ones, too.
    pub(super) statuses: Vec<u16>,
    /// All its heads should be known: it was not joined midway, and did not leave HTTP.
    pub(super) is_http: bool,
}

pub(super) fn walk(connection: &Connection) -> Result<Walked> {
    let mut walked = Walked {
        exchanges: Vec::new(),
        statuses: Vec::new(),
        is_http: connection.is_from_start,
    };
    let mut is_pipelined = false;
    let mut asked = request::first(connection)?;
    let mut start = match (&asked, connection.is_from_start) {
        (Some(request), false) => answer::begin(&connection.responses, request.ack),
        (Some(_) | None, _) => FIRST,
    };
    while let Some(request) = asked {
        let mut next = request.following(connection)?;
        let answer = answer::read(connection, start, &request, next.as_ref())?;
        if answer.is_upgrade {
            walked.is_http = false;
            next = None;
        }
        is_pipelined |= next
            .as_ref()
            .is_some_and(|next| answer.end.is_none_or(|end| next.ack < end));
        let sent = connection.responses.sent();
        start = answer.end.unwrap_or(sent);
        walked.exchanges.push(Exchange {
            client: connection.client,
            number: u32::try_from(walked.exchanges.len() + 1)?,
            status: answer.status,
            bytes: start.min(sent).saturating_sub(answer.start),
            outcome: outcome(connection, &answer),
            pipelined: false,
            start: request.time,
            method: request.method,
            target: request.target,
        });
        walked.statuses.extend(answer.statuses);
        asked = next;
    }
    for exchange in &mut walked.exchanges {
        exchange.pipelined = is_pipelined;
    }
    Ok(walked)
}

fn outcome(connection: &Connection, answer: &Answer) -> Outcome {
    let acked = connection.responses.acked();
    if answer.end.is_some_and(|end| acked >= end) {
        return Outcome::Complete;
    }
    let cut = connection.events.iter().find_map(|event| match event {
        Event::ClientFin | Event::ClientReset => Some(Side::Client),
        Event::ServerReset => Some(Side::Server),
        // Behind the whole response it cuts nothing.
        Event::ServerFin(at) => {
            let is_whole = answer.end.is_some_and(|end| end <= *at);
            (!is_whole).then_some(Side::Server)
        }
    });
    let abandoned = connection.is_abandoned.then_some(Side::Timeout);
    match cut.or(abandoned) {
        Some(side) => Outcome::Aborted(side),
        None => Outcome::InFlight,
    }
}

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;
