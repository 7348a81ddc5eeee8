//! Who is looked at: the daemon, or, where there is none, an observer in this process.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Args;
use crate::{
    cli::{RunArgs, WatchArgs},
    config::Config,
    inside::Inside,
    live::{
        DEFAULT,
        client::{Way, is_there},
    },
};

/// What is to be known of it.
const BY_ITSELF: &str = "no daemon: observing by itself; what began before is not seen";
const ITS_OWN: &str =
    "the daemon is looked at, which has options of its own: those given do not hold";

/// The way to it.
pub(super) struct Observed {
    pub(super) way: Way,
    /// What is not as one might think.
    pub(super) note: Option<&'static str>,
    /// It ends with this value.
    _inside: Option<Inside>,
}

impl Observed {
    /// Call it before there is a second thread.
    ///
    /// # Errors
    ///
    /// There is no daemon, and we cannot observe ourselves.
    pub(super) fn find(args: &Args) -> Result<Self> {
        let note = (args.watch != WatchArgs::default()).then_some(ITS_OWN);
        if let Some(path) = &args.live_socket {
            return Ok(Self::daemon(path.clone(), note));
        }
        if is_there(Path::new(DEFAULT)) {
            return Ok(Self::daemon(DEFAULT.into(), note));
        }
        let config = Config::from_args(&RunArgs {
            watch: args.watch.clone(),
            ..RunArgs::default()
        })?;
        match &config.live_socket {
            Some(path) if is_there(path) => Ok(Self::daemon(path.clone(), note)),
            _ => Self::inside(&config),
        }
    }

    fn daemon(path: PathBuf, note: Option<&'static str>) -> Self {
        Self {
            way: Way::Socket(path),
            note,
            _inside: None,
        }
    }

    fn inside(config: &Config) -> Result<Self> {
        let inside = Inside::start(config).with_context(|| {
            format!(
                "no daemon at {DEFAULT} (start `pxe-observer run`, or name its socket with \
                 --live-socket), and without one"
            )
        })?;
        Ok(Self {
            way: inside.way(),
            note: Some(BY_ITSELF),
            _inside: Some(inside),
        })
    }
}
