//! Questions and answers over netlink.

use std::{io, marker::PhantomData, time::Duration};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_MULTIPART, NLM_F_REQUEST, NetlinkDeserializable,
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_sys::{Socket, SocketAddr};
use rustix::net::{
    RecvFlags,
    sockopt::{Timeout, set_socket_timeout},
};

/// The kernel answers while it is asked: nobody waits so long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(1);
/// The kernel makes no datagram of a dump larger than what its reader has room for, or than this
/// (`NLMSG_GOODSIZE`).
const DATAGRAM: usize = 8192;
const HEADER: usize = 16;

/// What is said over a socket of one protocol: questions, and their answers.
pub(super) trait Message: NetlinkSerializable + NetlinkDeserializable {}

impl<M: NetlinkSerializable + NetlinkDeserializable> Message for M {}

/// A netlink socket that only the kernel can send to.
pub(super) struct Wire<M> {
    socket: Socket,
    sequence: u32,
    buffer: Box<[u8]>,
    said: PhantomData<fn(M) -> M>,
}

impl<M: Message> Wire<M> {
    /// In the network namespace of this thread, of the protocol whose messages these are.
    pub(super) fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; DATAGRAM].into(),
            said: PhantomData,
        })
    }

    /// The one answer to a question for one thing.
    pub(super) fn one(&mut self, question: M) -> io::Result<M> {
        let mut found = None;
        self.ask(question, 0, |answer| found = Some(answer))?;
        found.ok_or_else(|| invalid("an answer that says nothing"))
    }

    /// Each answer to a question for many.
    pub(super) fn all(&mut self, question: M, take: impl FnMut(M)) -> io::Result<()> {
        self.ask(question, NLM_F_DUMP, take)
    }

    fn ask(&mut self, question: M, flags: u16, mut take: impl FnMut(M)) -> io::Result<()> {
        self.send(question, flags)?;
        let mut reading = Reading::of(self.sequence);
        while !reading.is_over {
            let len = self.receive()?;
            let datagram = self.buffer.get(..len);
            let datagram = datagram.ok_or_else(|| invalid("a datagram that was cut"))?;
            reading.datagram(datagram, &mut take)?;
        }
        if reading.interrupted {
            return Err(io::Error::other("what was listed changed meanwhile"));
        }
        Ok(())
    }

    fn send(&mut self, question: M, flags: u16) -> io::Result<()> {
        // Answers to a question that was given up have another.
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(question));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop)
    }

    /// How long the datagram is, whether or not all of it is in the buffer.
    fn receive(&mut self) -> io::Result<usize> {
        let flags = RecvFlags::TRUNC.bits().cast_signed();
        loop {
            match self.socket.recv(&mut &mut self.buffer[..], flags) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

/// The answers to one question, as far as they have come.
struct Reading {
    sequence: u32,
    is_over: bool,
    interrupted: bool,
}

impl Reading {
    fn of(sequence: u32) -> Self {
        Self {
            sequence,
            is_over: false,
            interrupted: false,
        }
    }

    /// Takes a datagram, which holds one message or more.
    fn datagram<M: Message>(
        &mut self,
        mut datagram: &[u8],
        take: &mut impl FnMut(M),
    ) -> io::Result<()> {
        while !datagram.is_empty() {
            let message = NetlinkMessage::deserialize(datagram).map_err(invalid)?;
            let len = (message.header.length as usize)
                .next_multiple_of(4)
                .max(HEADER);
            datagram = datagram.get(len..).unwrap_or_default();
            if message.header.sequence_number == self.sequence {
                self.message(message, take)?;
            }
        }
        Ok(())
    }

    fn message<M: Message>(
        &mut self,
        message: NetlinkMessage<M>,
        take: &mut impl FnMut(M),
    ) -> io::Result<()> {
        let (header, payload) = message.into_parts();
        self.interrupted |= header.flags & NLM_F_DUMP_INTR != 0;
        // Of several the end is told.
        self.is_over |= header.flags & NLM_F_MULTIPART == 0;
        match payload {
            NetlinkPayload::InnerMessage(answer) => take(answer),
            NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
            NetlinkPayload::Done(done) if done.code < 0 => {
                return Err(io::Error::from_raw_os_error(done.code.saturating_neg()));
            }
            NetlinkPayload::Done(_) => self.is_over = true,
            NetlinkPayload::Overrun(_) => return Err(invalid("data was lost")),
            // An acknowledgement, or nothing.
            NetlinkPayload::Error(_) | NetlinkPayload::Noop | _ => {}
        }
        Ok(())
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests;
