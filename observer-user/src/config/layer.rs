//! What one source says: the file, or the flags. What it leaves out is `None`.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf};

use serde::{Deserialize, Deserializer, de::Error};

use super::ranges;
use crate::{
    cli::{LocalClients, LogLevel, RunArgs},
    commands::BuiltIn,
    model::verdict::Thresholds,
};

/// A source, its numbers in their ranges. A key of the file is a flag, with `_` for `-` and `.`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Layer {
    pub(super) web_listen_address: Option<Vec<SocketAddr>>,
    #[serde(deserialize_with = "ports")]
    pub(super) http_port: Option<Vec<u16>>,
    #[serde(deserialize_with = "ports")]
    pub(super) http_ignore_port: Option<Vec<u16>>,
    pub(super) local_clients: Option<LocalClients>,
    #[serde(deserialize_with = "ports")]
    pub(super) tftp_port: Option<Vec<u16>>,
    #[serde(deserialize_with = "stalled_after")]
    pub(super) stalled_after: Option<u16>,
    #[serde(deserialize_with = "connections")]
    pub(super) max_connections: Option<u32>,
    #[serde(deserialize_with = "ring")]
    pub(super) ring_bytes: Option<u32>,
    /// Nothing for none.
    pub(super) live_socket: Option<PathBuf>,
    pub(super) profile: Option<BuiltIn>,
    pub(super) rules: Option<PathBuf>,
    pub(super) log_level: Option<LogLevel>,
    pub(super) starvation: Thresholds,
}

impl Layer {
    /// What was typed; clap has checked it.
    pub(super) fn of_flags(args: &RunArgs) -> Self {
        let given = |ports: &Vec<u16>| (!ports.is_empty()).then(|| ports.clone());
        let watch = &args.watch;
        Self {
            web_listen_address: (!args.listen.is_empty()).then(|| args.listen.clone()),
            http_port: given(&watch.http_ports),
            http_ignore_port: given(&watch.ignored_ports),
            local_clients: watch.local_clients,
            tftp_port: given(&watch.tftp_ports),
            stalled_after: watch.stalled_after,
            max_connections: watch.max_connections,
            ring_bytes: watch.ring_bytes,
            live_socket: if args.no_live_socket {
                Some(PathBuf::new())
            } else {
                args.live_socket.clone()
            },
            profile: watch.profile.profile,
            rules: watch.profile.rules.clone(),
            log_level: args.log_level,
            starvation: Thresholds::default(),
        }
    }
}

fn ports<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Vec<u16>>, D::Error> {
    let ports = Vec::<i64>::deserialize(value)?;
    let ports = ports.into_iter().map(|port| within(port, &ranges::PORT));
    ports.collect::<Result<_, _>>().map(Some)
}

fn stalled_after<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u16>, D::Error> {
    within(i64::deserialize(value)?, &ranges::STALLED_AFTER).map(Some)
}

fn connections<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u32>, D::Error> {
    within(i64::deserialize(value)?, &ranges::CONNECTIONS).map(Some)
}

fn ring<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u32>, D::Error> {
    let bytes = ranges::ring_bytes(i64::deserialize(value)?);
    bytes.map(Some).map_err(D::Error::custom)
}

fn within<T: TryFrom<i64>, E: Error>(value: i64, range: &RangeInclusive<i64>) -> Result<T, E> {
    let inside = range.contains(&value).then(|| T::try_from(value).ok());
    inside
        .flatten()
        .ok_or_else(|| E::custom(format!("{value} is not in {range:?}")))
}
