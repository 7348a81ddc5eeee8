//! What a scrape is answered with: encoded once, for all who wait for it.

use std::sync::OnceLock;

use super::text;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// text/plain 0.0.4: the default.
    Plain,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The value of Content-Type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All families at one instant.
#[derive(Debug)]
pub struct Exposition {
    open_metrics: String,
    plain: OnceLock<String>,
}

impl Exposition {
    /// Of what prometheus-client wrote.
    pub fn new(open_metrics: String) -> Self {
        Self {
            open_metrics,
            plain: OnceLock::new(),
        }
    }

    /// The text, rewritten once where it has to be.
    pub fn text(&self, format: Format) -> &str {
        match format {
            Format::OpenMetrics => &self.open_metrics,
            Format::Plain => self.plain.get_or_init(|| text::plain(&self.open_metrics)),
        }
    }
}
