//! Which rules are active: a built-in profile, or a file of the user's own.

use std::{borrow::Cow, fs::File, io::Read as _, path::PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::model::classify::{self, Classifier};

/// Larger rules files are taken for a mistake.
const MAX_FILE: u64 = 1 << 20;

/// The built-in profiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BuiltIn {
    /// Thirteen boot stages, for any provisioner.
    #[default]
    Generic,
    /// The labels of a Dragonfly server.
    Dragonfly,
}

/// Selects the active rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct ProfileArgs {
    /// Use a built-in profile [default: generic]
    #[arg(long, value_enum)]
    pub profile: Option<BuiltIn>,

    /// Use the rules of this TOML file instead (see `rules show`)
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    pub rules: Option<PathBuf>,
}

/// The active rules, as text and compiled.
pub(super) struct Active {
    pub(super) text: Cow<'static, str>,
    pub(super) classifier: Classifier,
}

impl ProfileArgs {
    /// The selected classifier.
    ///
    /// # Errors
    ///
    /// A rules file that cannot be read, or what is wrong in it and where.
    pub fn classifier(&self) -> anyhow::Result<Classifier> {
        self.load().map(|Active { classifier, .. }| classifier)
    }

    pub(super) fn load(&self) -> anyhow::Result<Active> {
        let Some(path) = &self.rules else {
            return Ok(match self.profile.unwrap_or_default() {
                BuiltIn::Generic => Active {
                    text: classify::GENERIC.into(),
                    classifier: Classifier::generic(),
                },
                BuiltIn::Dragonfly => Active {
                    text: classify::DRAGONFLY.into(),
                    classifier: Classifier::dragonfly(),
                },
            });
        };
        let text = read(path).with_context(|| format!("rules file {}", path.display()))?;
        let classifier = Classifier::from_toml(&text)
            .with_context(|| format!("rules file {}", path.display()))?;
        Ok(Active {
            text: text.into(),
            classifier,
        })
    }
}

fn read(path: &PathBuf) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut file = File::open(path)?.take(MAX_FILE + 1);
    file.read_to_string(&mut text)?;
    ensure!(
        text.len() as u64 <= MAX_FILE,
        "larger than {MAX_FILE} bytes"
    );
    Ok(text)
}
