//! Questions and answers over netlink.

use std::{
    io,
    time::{Duration, Instant},
};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_MULTIPART, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    inet::{InetRequest, InetResponse},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};
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

/// A netlink socket that only the kernel can send to.
pub(super) struct Wire {
    socket: Socket,
    sequence: u32,
    buffer: Box<[u8]>,
}

impl Wire {
    /// In the network namespace of this thread.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; DATAGRAM].into(),
        })
    }

    /// The one answer to a question for one socket.
    pub(super) fn one(&mut self, request: &InetRequest) -> io::Result<InetResponse> {
        let mut found = None;
        self.ask(request, 0, |response| found = Some(response))?;
        found.ok_or_else(|| invalid("an answer without a socket"))
    }

    /// Each answer to a question for many.
    pub(super) fn all(
        &mut self,
        request: &InetRequest,
        mut take: impl FnMut(&InetResponse),
    ) -> io::Result<()> {
        self.ask(request, NLM_F_DUMP, |response| take(&response))
    }

    fn ask(
        &mut self,
        request: &InetRequest,
        flags: u16,
        mut take: impl FnMut(InetResponse),
    ) -> io::Result<()> {
        self.send(request, flags)?;
        let deadline = Instant::now() + PATIENCE;
        let mut reading = Reading::of(self.sequence);
        while !reading.is_over {
            let len = self.receive(deadline)?;
            let datagram = self.buffer.get(..len);
            let datagram = datagram.ok_or_else(|| invalid("a datagram that was cut"))?;
            reading.datagram(datagram, &mut take)?;
        }
        if reading.interrupted {
            return Err(io::Error::other("sockets changed while they were listed"));
        }
        Ok(())
    }

    fn send(&mut self, request: &InetRequest, flags: u16) -> io::Result<()> {
        // Answers to a question that was given up have another.
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let request = SockDiagMessage::InetRequest(request.clone());
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop)
    }

    /// How long the datagram is, whether or not all of it is in the buffer.
    fn receive(&mut self, deadline: Instant) -> io::Result<usize> {
        let flags = RecvFlags::TRUNC.bits().cast_signed();
        loop {
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
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
    fn datagram(
        &mut self,
        mut datagram: &[u8],
        take: &mut impl FnMut(InetResponse),
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

    fn message(
        &mut self,
        message: NetlinkMessage<SockDiagMessage>,
        take: &mut impl FnMut(InetResponse),
    ) -> io::Result<()> {
        let (header, payload) = message.into_parts();
        self.interrupted |= header.flags & NLM_F_DUMP_INTR != 0;
        // Of several the end is told.
        self.is_over |= header.flags & NLM_F_MULTIPART == 0;
        match payload {
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                take(*response);
            }
            NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
            NetlinkPayload::Done(done) if done.code < 0 => {
                return Err(io::Error::from_raw_os_error(done.code.saturating_neg()));
            }
            NetlinkPayload::Done(_) => self.is_over = true,
            NetlinkPayload::Overrun(_) => return Err(invalid("data was lost")),
            // An acknowledgement, or nothing.
            NetlinkPayload::Error(_)
            | NetlinkPayload::Noop
            | NetlinkPayload::InnerMessage(_)
            | _ => {}
        }
        Ok(())
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests;
