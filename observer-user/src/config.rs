//! The configuration, validated: after this nothing is parsed again.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;

use crate::{cli::RunArgs, model::classify::Classifier};

/// What `run` runs with.
pub struct Config {
    /// Where to serve metrics; empty for the default.
    pub listen: Vec<SocketAddr>,
    /// TCP ports to watch; empty to learn them.
    pub http_ports: Vec<u16>,
    /// UDP ports of TFTP servers.
    pub tftp_ports: Vec<u16>,
    /// The active endpoints.
    pub classifier: Arc<Classifier>,
}

impl Config {
    /// Reads what the arguments name and checks all of it.
    pub fn from_args(args: &RunArgs) -> Result<Self> {
        Ok(Self {
            listen: args.listen.clone(),
            http_ports: args.http_ports.clone(),
            tftp_ports: args.tftp_ports.clone(),
            classifier: Arc::new(args.profile.classifier()?),
        })
    }
}
