//! Where it is played: servers and machines in two namespaces with a link between them, and the
//! observer.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result};
use rustix::process::Pid;

use super::{
    Scenario, boot,
    web::{self, Web},
};
use crate::{
    netns::{Netns, link},
    observer::Observer,
    tftp,
};

/// The number of the link.
const SUBNET: u8 = 60;
/// The server's end of the link.
pub(super) const DEVICE: &str = "f60";
/// What dnsmasq serves at a time by default.
const TRANSFERS: usize = 50;
/// What it serves where that is not to be the limit.
const MANY: usize = 4_000;

pub(super) struct World {
    pub(super) server: Netns,
    /// `None` while it is down.
    pub(super) web: Option<Web>,
    pub(super) tftp: tftp::server::Server,
    pub(super) observer: Observer,
    address: IpAddr,
}

impl World {
    /// Links a server's namespace to that of the machines, and starts everything.
    pub(super) fn new(scenario: Scenario, machines: &Netns, count: usize) -> Result<Self> {
        let server = Netns::new("starved")?;
        let address = link(machines, &server, SUBNET)?.far[0];
        let at_most = format!("--tftp-max={}", transfers(scenario, count));
        let port = web::PORT.to_string();
        let observer = Observer::start(&["--http-port", &port, "--profile", "dragonfly"])?;
        Ok(Self {
            web: Some(Web::start(&server, scenario)?),
            tftp: tftp::server::Server::dnsmasq(&server, &boot::files(), &[&at_most])?,
            observer,
            server,
            address,
        })
    }

    pub(super) fn http(&self) -> SocketAddr {
        SocketAddr::new(self.address, web::PORT)
    }

    pub(super) fn tftp(&self) -> SocketAddr {
        SocketAddr::new(self.address, tftp::server::PORT)
    }

    pub(super) fn web(&self) -> Result<&Web> {
        self.web.as_ref().context("a server that runs")
    }

    /// The first process of each server.
    pub(super) fn processes(&self) -> impl Iterator<Item = (&'static str, Pid)> {
        let web = self.web.iter().map(|web| ("http", web.pid()));
        web.chain([("tftp", self.tftp.pid())])
    }
}

/// Fewer than there are machines, where that is the cause.
fn transfers(scenario: Scenario, machines: usize) -> usize {
    if scenario == Scenario::TftpLimit {
        TRANSFERS.min(machines * 3 / 4).max(1)
    } else {
        MANY
    }
}
