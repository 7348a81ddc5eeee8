//! Frames: a length of four bytes, big-endian, and so much JSON.

use std::io::{self, Read};

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What the observer says at most: 10,000 rows of the longest paths.
pub const ANSWER_MAX: usize = 16 << 20;
/// What a viewer says at most.
pub const REQUEST_MAX: usize = 4 << 10;

/// The bytes of a frame.
pub fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    if length > ANSWER_MAX {
        return Err(too_long(length));
    }
    let length = u32::try_from(length).map_err(io::Error::other)?;
    if let Some(header) = frame.first_chunk_mut() {
        *header = length.to_be_bytes();
    }
    Ok(frame)
}

/// Reads a frame; `None` at the end of the stream.
pub fn read<T: DeserializeOwned>(stream: &mut impl Read, most: usize) -> io::Result<Option<T>> {
    let mut header = Vec::with_capacity(4);
    if stream.take(4).read_to_end(&mut header)? == 0 {
        return Ok(None);
    }
    let length = length(&header, most)?;
    let mut body = Vec::new();
    stream.take(length as u64).read_to_end(&mut body)?;
    decode(&body, length).map(Some)
}

/// The same of what a viewer says.
pub(super) async fn receive<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    most: usize,
) -> io::Result<T> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await?;
    let length = length(&header, most)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    decode(&body, length)
}

fn length(header: &[u8], most: usize) -> io::Result<usize> {
    let header = header.first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
    let length = u32::from_be_bytes(*header) as usize;
    if length > most {
        return Err(too_long(length));
    }
    Ok(length)
}

fn decode<T: DeserializeOwned>(body: &[u8], length: usize) -> io::Result<T> {
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(body)?)
}

fn too_long(length: usize) -> io::Error {
    let what = format!("a frame of {length} bytes is too long");
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::live::message::{Filter, Hello, Message, Request};

    #[test]
    fn what_is_encoded_is_read() {
        let requests = [
            Request::watch(1_000),
            Request::Snapshot,
            Request::Recent {
                filter: Filter::default(),
                last: 10,
                follow: true,
            },
            Request::Unmatched,
        ];
        for request in requests {
            let frame = encode(&request).expect("encoded");
            let read: Option<Request> = read(&mut &frame[..], REQUEST_MAX).expect("read");
            assert_eq!(read, Some(request));
        }
        let hello = Message::Hello(Hello::ours());
        let frame = encode(&hello).expect("encoded");
        let read: Option<Message> = read(&mut &frame[..], ANSWER_MAX).expect("read");
        assert_eq!(read, Some(hello));
    }

    #[test]
    fn requests_are_as_documented() {
        for (text, request) in [
            (r#"{"watch": {"interval_ms": 1000}}"#, Request::watch(1_000)),
            (r#""snapshot""#, Request::Snapshot),
            (r#""unmatched""#, Request::Unmatched),
        ] {
            let read: Request = serde_json::from_str(text).expect(text);
            assert_eq!(read, request);
        }
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        let streams: [(&[u8], io::ErrorKind); 4] = [
            (b"\0\0", io::ErrorKind::UnexpectedEof),
            (b"\0\0\0\x05{}", io::ErrorKind::UnexpectedEof),
            (b"\xff\xff\xff\xff{}", io::ErrorKind::InvalidData),
            (b"\0\0\0\x02{}", io::ErrorKind::InvalidData),
        ];
        for (mut stream, kind) in streams {
            let error = read::<Request>(&mut stream, REQUEST_MAX).expect_err("no frame");
            assert_eq!(error.kind(), kind, "{error}");
        }
        let end: Option<Request> = read(&mut &b""[..], REQUEST_MAX).expect("an end");
        assert_eq!(end, None);
    }

    proptest! {
        /// Neither side takes anything for a message that would harm it.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let framed = [&u32::try_from(bytes.len()).expect("few").to_be_bytes()[..], &bytes].concat();
            for stream in [&bytes, &framed] {
                let _ = read::<Request>(&mut &stream[..], REQUEST_MAX);
                let _ = read::<Message>(&mut &stream[..], ANSWER_MAX);
            }
        }
    }
}
