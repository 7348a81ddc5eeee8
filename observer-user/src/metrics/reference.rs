//! The reference of all families, made from their descriptors.

use std::fmt::{self, Write as _};

use super::{Descriptor, Metrics};
use crate::model::classify::Classifier;

/// Markdown.
pub fn reference() -> Result<String, fmt::Error> {
    let metrics = |classifier: &Classifier| Metrics::new(classifier.endpoints());
    let generic = metrics(&Classifier::generic());
    let mut text = String::from(INTRODUCTION);
    for descriptor in generic.descriptors() {
        family(&mut text, descriptor)?;
    }
    text.push_str("\n## Series\n\n| profile | at most |\n|---|---|\n");
    for (profile, metrics) in [
        ("generic", &generic),
        ("dragonfly", &metrics(&Classifier::dragonfly())),
    ] {
        writeln!(text, "| `{profile}` | {} |", metrics.series_limit())?;
    }
    Ok(text)
}

const INTRODUCTION: &str = "\
# Metrics

Made by `pxe-observer docs` from what the daemon registers; a test holds them together.

`/metrics` is text/plain 0.0.4, or OpenMetrics 1.0 for who asks for it by `Accept`. `endpoint` is
one of the profile's, 32 at most.

| family | type | labels | meaning |
|---|---|---|---|
";

fn family(text: &mut String, descriptor: &Descriptor) -> fmt::Result {
    let labels: Vec<String> = descriptor
        .labels
        .iter()
        .map(|label| format!("`{label}`"))
        .collect();
    write!(
        text,
        "| `{}` | {} | {} | {}.",
        descriptor.name,
        descriptor.kind,
        labels.join(", "),
        descriptor.help
    )?;
    if !descriptor.buckets.is_empty() {
        let bounds: Vec<String> = descriptor.buckets.iter().map(f64::to_string).collect();
        write!(text, " Buckets: {}", bounds.join(" "))?;
    }
    text.push_str(" |\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_that_of_this_code() {
        let written = include_str!("../../../docs/metrics.md");
        let made = reference().expect("a String takes everything");
        assert!(
            written == made,
            "docs/metrics.md is not what the code has: \
             run `cargo run --package observer-user -- docs >docs/metrics.md`"
        );
    }
}
