//! One network namespace: whether it is to be asked, and the sockets by which it is.

use std::{fs::File, io, os::fd::AsFd as _, thread};

use procfs::{
    net::{TcpState, UdpState},
    process::Process,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{
    diag::{Links, SockDiag, link::OWN},
    model::{
        links::{Ends, Interface},
        sockets::Wanted,
    },
};

/// One namespace.
pub(super) struct Place {
    pub(super) diag: SockDiag,
    /// Of a wanted UDP port there is a socket here.
    pub(super) has_udp: bool,
    /// Without it sockets are asked for all the same.
    links: io::Result<Links>,
}

impl Place {
    /// Our own.
    pub(super) fn own() -> io::Result<Self> {
        Self::here(OWN)
    }

    /// That of a process, which a thread enters: it must not leave its own otherwise.
    pub(super) fn of(process: &Process, number: u64) -> io::Result<Self> {
        let namespace = File::open(format!("/proc/{}/ns/net", process.pid()))?;
        let entered = thread::Builder::new()
            .name("enter-netns".to_owned())
            .spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
                Self::here(number)
            })?;
        let panicked = |_| Err(io::Error::other("the thread that entered it panicked"));
        entered.join().unwrap_or_else(panicked)
    }

    /// The interfaces that these ends lead to. Where nobody answers TFTP its clients lead nowhere.
    pub(super) fn interfaces(&mut self, ends: &Ends) -> io::Result<Vec<Interface>> {
        let links = match &mut self.links {
            Ok(links) => links,
            Err(error) => return Err(io::Error::new(error.kind(), error.to_string())),
        };
        if self.has_udp {
            return links.read(ends);
        }
        links.read(&Ends {
            local: ends.local.clone(),
            ..Ends::default()
        })
    }

    fn here(number: u64) -> io::Result<Self> {
        Ok(Self {
            diag: SockDiag::open()?,
            has_udp: false,
            links: Links::open(number),
        })
    }
}

/// Whether something wanted is in a process's namespace; `None` if that cannot be read.
pub(super) fn serves(process: &Process, wanted: &Wanted) -> Option<bool> {
    // Absent where IPv6 is off.
    let tcp = process.tcp().ok()?.into_iter();
    let mut tcp = tcp.chain(process.tcp6().unwrap_or_default());
    let udp = process.udp().ok()?.into_iter();
    let mut udp = udp.chain(process.udp6().unwrap_or_default());
    let listens = tcp.any(|socket| {
        socket.state == TcpState::Listen && wanted.tcp.contains(&socket.local_address.port())
    });
    let receives = udp.any(|socket| {
        socket.state == UdpState::Close && wanted.udp.contains(&socket.local_address.port())
    });
    Some(listens || receives)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_asked_for_where_interfaces_cannot_be() {
        let mut place = Place::own().expect("sockets");
        assert_eq!(place.interfaces(&Ends::default()).expect("read"), []);
        place.links = Err(io::ErrorKind::PermissionDenied.into());
        let error = place.interfaces(&Ends::default()).expect_err("denied");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(place.diag.listeners(None).is_ok());
    }
}
