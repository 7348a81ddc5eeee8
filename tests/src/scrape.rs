//! A scrape, read back.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

/// Labels, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// What one scrape said.
#[derive(Debug)]
pub struct Scrape {
    /// The status line.
    pub status: String,
    /// The value of Content-Type.
    pub content_type: String,
    samples: Vec<(String, Labels, f64)>,
}

impl Scrape {
    /// Reads an HTTP answer with an exposition as its body.
    pub fn parse(answer: &str) -> Result<Self> {
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .context("an answer has a head")?;
        let field = |line: &str| {
            line.split_once(": ")
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        };
        let fields: BTreeMap<String, String> = head.lines().skip(1).filter_map(field).collect();
        let samples = body
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| sample(line).with_context(|| format!("sample {line}")))
            .collect::<Result<_>>()?;
        Ok(Self {
            status: head.lines().next().unwrap_or_default().to_owned(),
            content_type: fields.get("content-type").cloned().unwrap_or_default(),
            samples,
        })
    }

    /// All series of a sample name.
    pub fn series(&self, name: &str) -> impl Iterator<Item = (&Labels, f64)> {
        self.samples
            .iter()
            .filter(move |(found, _, _)| found == name)
            .map(|(_, labels, value)| (labels, *value))
    }

    /// Every series: its name, its labels, its value.
    pub fn all(&self) -> impl Iterator<Item = &(String, Labels, f64)> {
        self.samples.iter()
    }

    /// The sum over the series that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |found: &Labels| {
            labels
                .iter()
                .all(|(key, value)| found.get(*key).is_some_and(|found| found == value))
        };
        self.series(name)
            .filter(|(found, _)| has(found))
            .map(|(_, value)| value)
            .sum()
    }

    /// What a person looks at when a test failed: histograms' buckets and zeros are left out.
    pub fn without_zeros(&self) -> Vec<String> {
        let told = |(name, _, value): &&(String, Labels, f64)| {
            *value != 0.0 && !name.ends_with("_bucket") && !name.starts_with("process_")
        };
        let say = |(name, labels, value): &(String, Labels, f64)| {
            let labels: Vec<&str> = labels.values().map(String::as_str).collect();
            format!("{name} {} {value}", labels.join(" "))
        };
        self.samples.iter().filter(told).map(say).collect()
    }

    /// Everything that was lost, by reason, where it is not 0.
    pub fn lost(&self) -> Vec<(String, f64)> {
        self.series("pxe_observer_events_lost_total")
            .filter(|(_, value)| *value != 0.0)
            .map(|(labels, value)| (labels.get("reason").cloned().unwrap_or_default(), value))
            .collect()
    }
}

fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let pairs = labels
        .strip_suffix('}')?
        .split("\",")
        .filter(|pair| !pair.is_empty());
    let labels = pairs
        .map(|pair| {
            pair.trim_end_matches('"')
                .split_once("=\"")
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
        })
        .collect::<Option<_>>()?;
    Some((name.to_owned(), labels, value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_read_back() {
        let (name, labels, value) =
            sample("a_total{endpoint=\"boot\",status=\"200\"} 3").expect("a sample");
        assert_eq!((name.as_str(), labels.len(), value), ("a_total", 2, 3.0));
        assert_eq!(labels["status"], "200");
        assert!(sample("a 1.5").expect("a sample").1.is_empty());
    }
}
