//! HTTP/1 as far as an observer needs it: heads, and where a response ends.

mod head;
mod method;
mod status;

pub use self::{
    head::{Framing, Read, RequestHead, ResponseHead, read_request, read_response},
    method::Method,
    status::Status,
};
