//! What holds, of all that was said, and who said it.

use std::{collections::BTreeMap, fmt::Write as _, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use observer_common::limits::{CONNS, RING_BYTES};
use serde::Serialize;
use toml::Value;

use super::{
    TABLE,
    file::Written,
    layer::Layer,
    setting::{Origin, Setting},
};
use crate::{
    cli::{LocalClients, LogLevel, RunArgs},
    commands::ProfileArgs,
    live,
    model::{stall::STALLED_AFTER_S, verdict::Thresholds},
};

/// Where TFTP requests arrive (RFC 1350), unless another port is named.
const TFTP_PORT: u16 = 69;
/// What a reload takes over, beside the thresholds.
const RELOADED: [&str; 3] = ["profile", "rules", "stalled_after"];

/// Each value and its origin; what contradicts itself is not yet found.
#[derive(Debug)]
pub struct Effective {
    pub(super) listen: Setting<Vec<SocketAddr>>,
    pub(super) http_ports: Setting<Vec<u16>>,
    pub(super) ignored_ports: Setting<Vec<u16>>,
    pub(super) local_clients: Setting<LocalClients>,
    pub(super) tftp_ports: Setting<Vec<u16>>,
    pub(super) stalled_after: Setting<u16>,
    pub(super) max_connections: Setting<u32>,
    pub(super) ring_bytes: Setting<u32>,
    pub(super) live_socket: Setting<PathBuf>,
    pub(super) endpoints: Setting<ProfileArgs>,
    pub(super) log_level: Setting<LogLevel>,
    pub(super) thresholds: Thresholds,
    file: Option<PathBuf>,
    /// Thresholds that the file names.
    named: Vec<String>,
}

impl Effective {
    /// Of the arguments, and of the file that they name or the default one.
    pub fn read(args: &RunArgs) -> Result<Self> {
        let written = Written::find(args.watch.config.as_deref())?;
        Ok(Self::merge(Layer::of_flags(args), written))
    }

    /// The file it comes from, if there is one.
    pub fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    fn merge(flags: Layer, written: Written) -> Self {
        let Written { path, layer, keys } = written;
        let endpoints =
            Setting::first(endpoints(&flags), endpoints(&layer), ProfileArgs::default());
        Self {
            listen: Setting::first(flags.web_listen_address, layer.web_listen_address, vec![]),
            http_ports: Setting::first(flags.http_port, layer.http_port, vec![]),
            ignored_ports: Setting::first(flags.http_ignore_port, layer.http_ignore_port, vec![]),
            local_clients: Setting::first(
                flags.local_clients,
                layer.local_clients,
                LocalClients::Count,
            ),
            tftp_ports: Setting::first(flags.tftp_port, layer.tftp_port, vec![TFTP_PORT]),
            stalled_after: Setting::first(
                flags.stalled_after,
                layer.stalled_after,
                STALLED_AFTER_S,
            ),
            max_connections: Setting::first(flags.max_connections, layer.max_connections, CONNS),
            ring_bytes: Setting::first(flags.ring_bytes, layer.ring_bytes, RING_BYTES),
            live_socket: Setting::first(
                flags.live_socket,
                layer.live_socket,
                PathBuf::from(live::DEFAULT),
            ),
            endpoints,
            log_level: Setting::first(flags.log_level, layer.log_level, LogLevel::Info),
            thresholds: layer.starvation,
            file: path,
            named: keys.into_iter().collect(),
        }
    }

    /// As a file that says the same, with each value's origin behind it.
    pub fn show(&self) -> Result<String> {
        let mut text = String::new();
        for Row { key, value, origin } in self.rows()? {
            self.line(&mut text, key, &value, origin)?;
        }
        writeln!(text, "\n[{TABLE}]")?;
        for (key, value) in toml::Table::try_from(self.thresholds)? {
            let is_named = self.named.contains(&format!("{TABLE}.{key}"));
            let origin = if is_named {
                Origin::File
            } else {
                Origin::Default
            };
            self.line(&mut text, &key, &value, origin)?;
        }
        Ok(text)
    }

    /// What only a restart changes, by key.
    pub fn fixed(&self) -> Result<BTreeMap<&'static str, String>> {
        let rows = self.rows()?.into_iter();
        let rows = rows.filter(|row| !RELOADED.contains(&row.key));
        Ok(rows.map(|row| (row.key, row.value.to_string())).collect())
    }

    fn rows(&self) -> Result<Vec<Row>> {
        let Setting { value, origin } = &self.endpoints;
        let endpoints = match &value.rules {
            Some(rules) => row("rules", rules, *origin)?,
            None => row("profile", &value.profile.unwrap_or_default(), *origin)?,
        };
        Ok(vec![
            self.listen.row("web_listen_address")?,
            self.http_ports.row("http_port")?,
            self.ignored_ports.row("http_ignore_port")?,
            self.local_clients.row("local_clients")?,
            self.tftp_ports.row("tftp_port")?,
            self.stalled_after.row("stalled_after")?,
            self.max_connections.row("max_connections")?,
            self.ring_bytes.row("ring_bytes")?,
            self.live_socket.row("live_socket")?,
            endpoints,
            self.log_level.row("log_level")?,
        ])
    }

    fn line(&self, text: &mut String, key: &str, value: &Value, origin: Origin) -> Result<()> {
        let from = match origin {
            Origin::Default => "default".to_owned(),
            Origin::Flag => "flag".to_owned(),
            Origin::File => {
                let file = self.file.as_ref();
                file.map_or(String::new(), |file| file.display().to_string())
            }
        };
        Ok(writeln!(text, "{key} = {value} # {from}")?)
    }
}

/// A key, its value, and who said it.
struct Row {
    key: &'static str,
    value: Value,
    origin: Origin,
}

fn row<T: Serialize>(key: &'static str, value: &T, origin: Origin) -> Result<Row> {
    let value = Value::try_from(value).context(key)?;
    Ok(Row { key, value, origin })
}

impl<T: Serialize> Setting<T> {
    fn row(&self, key: &'static str) -> Result<Row> {
        row(key, &self.value, self.origin)
    }
}

/// Profile and rules are one choice.
fn endpoints(layer: &Layer) -> Option<ProfileArgs> {
    let Layer { profile, rules, .. } = layer;
    (profile.is_some() || rules.is_some()).then(|| ProfileArgs {
        profile: *profile,
        rules: rules.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;
    use crate::commands::BuiltIn;

    fn merge(flags: Layer, text: &str) -> Effective {
        let written = Written::parse(Path::new("/etc/x.toml"), text).expect("a file");
        Effective::merge(flags, written)
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let flags = Layer {
            http_port: Some(vec![81]),
            profile: Some(BuiltIn::Dragonfly),
            ..Layer::default()
        };
        let text = "http_port = [80]\nrules = 'a.toml'\nmax_connections = 7\nlog_level = 'warn'";
        let shown = merge(flags, text).show().expect("shown");
        for line in [
            "http_port = [81] # flag",
            "profile = \"dragonfly\" # flag",
            "max_connections = 7 # /etc/x.toml",
            "log_level = \"warn\" # /etc/x.toml",
            "tftp_port = [69] # default",
            "loss_ratio = 0.01 # default",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
        }
        assert!(!shown.contains("a.toml"), "{shown}");
    }

    #[test]
    fn what_is_shown_is_a_file_that_says_the_same() {
        let text = "rules = '/r.toml'\nstalled_after = 9\n[starvation]\nhold_seconds = 4";
        for text in ["", text] {
            let shown = merge(Layer::default(), text).show().expect("shown");
            let again = merge(Layer::default(), &shown).show().expect("shown");
            let values = |shown: &str| -> Vec<String> {
                let line = |line: &str| line.split(" # ").next().map(str::to_owned);
                shown.lines().filter_map(line).collect()
            };
            assert_eq!(values(&shown), values(&again));
        }
    }

    #[test]
    fn each_key_is_shown() {
        let mut keys = BTreeSet::new();
        for text in ["", "rules = '/r.toml'"] {
            let shown = merge(Layer::default(), text).show().expect("shown");
            keys.extend(merge(Layer::default(), &shown).named);
        }
        let mut known: BTreeSet<String> = super::super::KEYS.map(str::to_owned).into();
        known.insert(TABLE.to_owned());
        assert_eq!(keys, known);
    }
}
