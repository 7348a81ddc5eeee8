//! Everything that could not be read, by what it was: apart from what is lost, since most requests
//! of it are in the numbers all the same.

/// What could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unread {
    /// A ring record: none of ours, so that it cannot be told whose request it was of.
    Event,
    /// A request's head: its request is lost as [`super::loss::Loss::Undecodable`].
    RequestHead,
    /// A request's head beyond what is handed over: its request counts, its body does not.
    RequestHeadTruncated,
    /// A response's head: its request counts, without a status.
    ResponseHead,
    /// A response's head beyond what is handed over: its request counts.
    ResponseHeadTruncated,
}

impl Unread {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Event,
        Self::RequestHead,
        Self::RequestHeadTruncated,
        Self::ResponseHead,
        Self::ResponseHeadTruncated,
    ];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::RequestHead => "request_head",
            Self::RequestHeadTruncated => "request_head_truncated",
            Self::ResponseHead => "response_head",
            Self::ResponseHeadTruncated => "response_head_truncated",
        }
    }
}
