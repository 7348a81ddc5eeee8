//! The file as it was found: what it says, which keys it names, and what is wrong in it and where.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{ErrorKind, Read as _},
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::layer::Layer;
use crate::model::place::Place;

/// Read where no other is named, if it is there.
pub const DEFAULT_FILE: &str = "/etc/pxe-observer/config.toml";
/// Larger ones are taken for a mistake.
const MAX_BYTES: u64 = 1 << 20;

/// A file that holds nothing unknown.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// None if there is no file.
    pub(super) path: Option<PathBuf>,
    pub(super) layer: Layer,
    /// The keys it names, those of a table behind its name and a dot.
    pub(super) keys: BTreeSet<String>,
}

impl Written {
    /// The file of this name, which has to be there, or the default one, which need not.
    pub(super) fn find(named: Option<&Path>) -> Result<Self> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        let name = || path.display().to_string();
        match read(path) {
            Ok(text) => Self::parse(path, &text).with_context(name),
            Err(error) if named.is_none() && is_missing(&error) => Ok(Self::default()),
            Err(error) => Err(error.context(name())),
        }
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self> {
        let error = |error: &toml::de::Error, key: &str| {
            let place = error.span().unwrap_or_default();
            at(text, &place, format!("{key}{}", error.message()))
        };
        let table = DeTable::parse(text).map_err(|e| error(&e, ""))?;
        let keys = keys(text, table.get_ref())?;
        let layer: Layer = toml::from_str(text).map_err(|e| {
            let offset = e.span().unwrap_or_default().start;
            let key = key_at(table.get_ref(), offset).map_or(String::new(), |key| key + ": ");
            error(&e, &key)
        })?;
        ensure!(
            layer.profile.is_none() || layer.rules.is_none(),
            "profile and rules contradict each other: leave one of them out"
        );
        Ok(Self {
            path: Some(path.to_owned()),
            layer: from_beside(path, layer),
            keys,
        })
    }
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let mut file = File::open(path)?.take(MAX_BYTES + 1);
    file.read_to_string(&mut text)?;
    ensure!(
        text.len() as u64 <= MAX_BYTES,
        "larger than {MAX_BYTES} bytes"
    );
    Ok(text)
}

fn is_missing(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>();
    kind.is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

/// A rules file is named as seen from the file that names it, for a daemon has no folder.
fn from_beside(path: &Path, mut layer: Layer) -> Layer {
    if let (Some(folder), Some(rules)) = (path.parent(), &layer.rules) {
        layer.rules = Some(folder.join(rules));
    }
    layer
}

/// The keys, if each is known.
fn keys(text: &str, table: &DeTable<'_>) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for (key, value) in table {
        let place = key.span();
        found.insert(known(text, &place, key.get_ref())?);
        for inner in inner(value).into_iter().flat_map(DeTable::keys) {
            let name = format!("{}.{}", key.get_ref(), inner.get_ref());
            found.insert(known(text, &inner.span(), &name)?);
        }
    }
    Ok(found)
}

fn inner<'a, 'de>(value: &'a Spanned<DeValue<'de>>) -> Option<&'a DeTable<'de>> {
    value.get_ref().as_table()
}

fn known(text: &str, place: &Range<usize>, key: &str) -> Result<String> {
    if super::KEYS.contains(&key) || key == super::TABLE {
        return Ok(key.to_owned());
    }
    let distance = |known: &&&str| strsim::osa_distance(key, known);
    let nearest = super::KEYS.iter().min_by_key(distance);
    let nearest = nearest.copied().unwrap_or_default();
    let what = format!("unknown key {key}: the nearest known one is {nearest}");
    Err(at(text, place, what))
}

/// The key whose value is there.
fn key_at(table: &DeTable<'_>, offset: usize) -> Option<String> {
    let (key, value) = table.iter().find(|(key, value)| {
        let table = inner(value).into_iter().flat_map(DeTable::values);
        let is_in = |value: &Spanned<DeValue<'_>>| value.span().contains(&offset);
        key.span().contains(&offset) || is_in(value) || table.into_iter().any(is_in)
    })?;
    let deeper = inner(value).and_then(|table| key_at(table, offset));
    let name = key.get_ref();
    Some(deeper.map_or(name.to_string(), |deeper| format!("{name}.{deeper}")))
}

fn at(text: &str, place: &Range<usize>, what: String) -> anyhow::Error {
    anyhow!("{}: {what}", Place::of(text, place.start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Written> {
        Written::parse(Path::new("/etc/here/config.toml"), text)
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_key() {
        for (text, says) in [
            (
                "http_prot = [80]",
                "line 1, column 1: unknown key http_prot: the nearest known one is http_port",
            ),
            (
                "[starvation]\nwait_second = 1",
                "line 2, column 1: unknown key starvation.wait_second: the nearest known one is starvation.wait_seconds",
            ),
            (
                "[web]\nlisten-address = ['127.0.0.1:1']",
                "line 1, column 2: unknown key web: the nearest known one is",
            ),
            (
                "\nhttp_port = [80, 70000]",
                "line 2, column 13: http_port: 70000 is not in 1..=65535",
            ),
            (
                "http_port = 80",
                "line 1, column 13: http_port: invalid type: integer `80`, expected a sequence",
            ),
            (
                "stalled_after = 0",
                "line 1, column 17: stalled_after: 0 is not in 1..=3600",
            ),
            (
                "max_connections = -1",
                "max_connections: -1 is not in 1..=16777216",
            ),
            (
                "ring_bytes = 6000",
                "ring_bytes: 6000 is not a power of two",
            ),
            (
                "web_listen_address = ['nowhere']",
                "column 23: web_listen_address: invalid socket address",
            ),
            (
                "local_clients = 'maybe'",
                "local_clients: unknown variant `maybe`, expected `count` or `ignore`",
            ),
            ("log_level = 'loud'", "log_level: unknown variant `loud`"),
            (
                "starvation.loss_ratio = 2",
                "column 25: starvation.loss_ratio: 2 is not in 0.0001..=1.0",
            ),
            (
                "profile = 'generic'\nrules = 'mine.toml'",
                "profile and rules contradict each other",
            ),
            ("http_port = [80", "line 1, column 16: unclosed array"),
            (
                "http_port = [80]\nhttp_port = [81]",
                "line 2, column 1: duplicate key",
            ),
        ] {
            let refused = parse(text).expect_err(text).to_string();
            assert!(refused.contains(says), "{text}: {refused}");
        }
    }

    #[test]
    fn rules_are_beside_the_file_that_names_them() {
        for (rules, path) in [("mine.toml", "/etc/here/mine.toml"), ("/a/b", "/a/b")] {
            let written = parse(&format!("rules = '{rules}'")).expect("read");
            assert_eq!(written.layer.rules, Some(PathBuf::from(path)));
        }
    }

    #[test]
    fn only_the_default_file_may_be_missing() {
        let missing = Path::new("no/such/file");
        let refused = Written::find(Some(missing)).expect_err("missing");
        assert!(format!("{refused:#}").starts_with("no/such/file: No such file"));
    }
}
