//! Its heads, piece by piece: what was asked, and what the answer is.

use observer_common::conn::Tuple;

use super::{Answer, Body, Exchange, Request, Response, Stamps, State};
use crate::model::{
    classify::{Classifier, Proto, Subject},
    event::Event,
    fact::{Asked, ExchangeId, Fact},
    http::{Framing, Read, RequestHead, ResponseHead, Status, read_request, read_response},
    target::Target,
    unread::Unread,
};

impl Exchange {
    /// Takes a piece of the request's head. False if it is not HTTP.
    pub(in crate::model::track) fn on_request_piece(
        &mut self,
        event: &Event<'_>,
        classifier: &Classifier,
        facts: &mut Vec<Fact>,
    ) -> bool {
        let (head, asked) = match &mut self.request {
            Request::Head(head) => (head, None),
            Request::Line { asked, head } => (head, Some(*asked)),
            Request::Whole { .. } => return true,
        };
        self.stamps.head = event.header.at_ns;
        let begun = (self.id, event.header.conn.tuple, self.stamps);
        let target = &mut self.target;
        if head.begins_with(event.header.offset)
            && let Read::Whole(line, len) = read_request(event.data)
        {
            self.request = whole(begin(begun, target, &line, classifier, facts), &line, len);
            return true;
        }
        head.push(event.header.offset, event.data);
        match read_request(head.bytes()) {
            Read::Malformed => return false,
            Read::Incomplete if head.is_full() => return false,
            Read::Incomplete => {}
            Read::FirstLine(line) | Read::Broken(line) => {
                let asked = asked.unwrap_or_else(|| begin(begun, target, &line, classifier, facts));
                if head.is_full() {
                    facts.push(Fact::Unread(Unread::RequestHeadTruncated));
                    self.request = Request::Whole { asked, body: None };
                } else {
                    let head = std::mem::take(head);
                    self.request = Request::Line { asked, head };
                }
            }
            Read::Whole(line, len) => {
                let asked = asked.unwrap_or_else(|| begin(begun, target, &line, classifier, facts));
                self.request = whole(asked, &line, len);
            }
        }
        true
    }

    /// Takes a piece of the response's head.
    pub(in crate::model::track) fn on_response_piece(
        &mut self,
        event: &Event<'_>,
        facts: &mut Vec<Fact>,
    ) {
        let conn = &event.header.conn;
        if let Response::Body(answer) = &mut self.response {
            answer.framed |= conn.is_pipelined() && event.data.is_empty();
            return;
        }
        let Some(asked) = self.asked().copied() else {
            return;
        };
        if let Request::Line { .. } = self.request {
            // Pieces beyond the bound, or that overtook others, were not handed over.
            self.request = Request::Whole { asked, body: None };
            facts.push(Fact::Unread(Unread::RequestHeadTruncated));
        }
        let Response::Head {
            head,
            before,
            status,
        } = &mut self.response
        else {
            return;
        };
        if self.stamps.answered.is_none() {
            self.stamps.answered = Some(event.header.at_ns);
            if conn.request.turn == self.id.turn {
                self.stamps.received = conn.request.last_ns;
            }
        }
        if *before == 0
            && head.begins_with(event.header.offset)
            && let Read::Whole(found, len) = read_response(event.data, asked.method)
            && !found.status.is_interim()
        {
            self.on_response_head(asked, found, len as u64, facts);
            return;
        }
        let offset = u64::from(event.header.offset).saturating_sub(*before);
        head.push(u32::try_from(offset).unwrap_or(u32::MAX), event.data);
        loop {
            match read_response(head.bytes(), asked.method) {
                Read::Whole(found, len) if found.status.is_interim() => {
                    head.skip(len);
                    *before += len as u64;
                    if head.bytes().is_empty() {
                        self.stamps.answered = None;
                        return;
                    }
                }
                Read::Whole(found, len) => {
                    let head = *before + len as u64;
                    self.on_response_head(asked, found, head, facts);
                    return;
                }
                Read::FirstLine(found) if !head.is_full() => {
                    *status = Some(found.status);
                    return;
                }
                Read::FirstLine(found) | Read::Broken(found) => {
                    let status = found.status;
                    self.response = Response::Opaque {
                        status: Some(status),
                    };
                    facts.push(Fact::Unread(Unread::ResponseHeadTruncated));
                    self.tell_answered(status, facts);
                    return;
                }
                Read::Malformed => {
                    self.response = Response::Opaque { status: None };
                    facts.push(Fact::Unread(Unread::ResponseHead));
                    return;
                }
                Read::Incomplete => return,
            }
        }
    }

    fn on_response_head(
        &mut self,
        asked: Asked,
        found: ResponseHead,
        head: u64,
        facts: &mut Vec<Fact>,
    ) {
        let status = found.status;
        let connects = self.body().is_some_and(|body| body.connects);
        // From here on it is not HTTP.
        let tunnel = status.is_upgrade() || (connects && status.is_success());
        self.response = Response::Body(Answer {
            status,
            head,
            framing: if tunnel {
                Framing::Close
            } else {
                found.framing
            },
            closes: found.closes || tunnel,
            framed: false,
        });
        self.tell_answered(status, facts);
        if (found.streams || tunnel) && self.state == State::UnderWay {
            self.state = State::Streaming;
            facts.push(Fact::Streaming {
                id: self.id,
                asked,
                status,
                at_ns: self.answered_ns(),
            });
        }
    }

    pub(super) fn tell_answered(&self, status: Status, facts: &mut Vec<Fact>) {
        facts.push(Fact::Answered {
            id: self.id,
            status,
            at_ns: self.answered_ns(),
        });
    }
}

fn whole(asked: Asked, line: &RequestHead<'_>, len: usize) -> Request {
    let head = len as u64;
    let body = Some(Body {
        head,
        end: line.body.map(|body| head + body),
        connects: line.connects,
    });
    Request::Whole { asked, body }
}

fn begin(
    (id, tuple, stamps): (ExchangeId, Tuple, Stamps),
    kept: &mut Target,
    line: &RequestHead<'_>,
    classifier: &Classifier,
    facts: &mut Vec<Fact>,
) -> Asked {
    kept.fill(line.target);
    let subject = Subject {
        proto: Proto::Http,
        access: line.method.access(),
        target: line.target,
    };
    let asked = Asked {
        tuple,
        method: line.method,
        class: classifier.classify(subject),
        begun_ns: stamps.begun,
        line_ns: stamps.head,
    };
    facts.push(Fact::Begun { id, asked });
    asked
}
