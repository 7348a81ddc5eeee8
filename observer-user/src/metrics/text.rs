//! OpenMetrics 1.0 rewritten as text/plain 0.0.4, which every Prometheus reads.
//!
//! The differences (Prometheus, "Exposition formats"): HELP and TYPE carry the name that samples
//! have, so `_total` with a counter; there are no UNIT lines and no EOF; `le` is printed as Go
//! does it, `1` instead of `1.0`.

use memchr::{memchr, memmem};

/// Rewrites what prometheus-client wrote.
pub(super) fn plain(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut rest = open_metrics;
    while let Some((line, after)) = split_line(rest) {
        rest = after;
        if let Some(help) = line.strip_prefix("# HELP ") {
            let counter = split_line(after).is_some_and(|(next, _)| next.ends_with(" counter"));
            comment(&mut text, "# HELP ", help, counter);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            comment(&mut text, "# TYPE ", kind, kind.ends_with(" counter"));
        } else if !line.starts_with('#') {
            sample(&mut text, line);
        }
    }
    text
}

fn split_line(text: &str) -> Option<(&str, &str)> {
    let end = memchr(b'\n', text.as_bytes())?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

fn comment(text: &mut String, what: &str, line: &str, counter: bool) {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let total = if counter { "_total" } else { "" };
    for part in [what, name, total, " ", rest, "\n"] {
        text.push_str(part);
    }
}

/// prometheus-client writes `le` as the first label.
fn sample(text: &mut String, line: &str) {
    const LE: &str = "_bucket{le=\"";
    let bound = memmem::find(line.as_bytes(), LE.as_bytes())
        .map(|at| at + LE.len())
        .and_then(|at| line.split_at_checked(at))
        .and_then(|(before, rest)| Some((before, rest.split_once('"')?)));
    match bound {
        Some((before, (le, after))) => {
            let le = le.strip_suffix(".0").unwrap_or(le);
            for part in [before, le, "\"", after, "\n"] {
                text.push_str(part);
            }
        }
        None => {
            text.push_str(line);
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_as_0_0_4_has_it() {
        for (open_metrics, expected) in [
            (
                "# HELP a_b Some.\n# TYPE a_b counter\na_b_total{x=\"y\"} 1\n# EOF\n",
                "# HELP a_b_total Some.\n# TYPE a_b_total counter\na_b_total{x=\"y\"} 1\n",
            ),
            (
                "# HELP g A counter of none.\n# TYPE g gauge\ng 1.5\n",
                "# HELP g A counter of none.\n# TYPE g gauge\ng 1.5\n",
            ),
            (
                "# HELP s_bytes Size.\n# TYPE s_bytes gauge\n# UNIT s_bytes bytes\ns_bytes 2\n",
                "# HELP s_bytes Size.\n# TYPE s_bytes gauge\ns_bytes 2\n",
            ),
            (
                "# HELP h H.\n# TYPE h histogram\nh_sum 1.0\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"0.0001\",a=\"2.0\"} 1\nh_bucket{le=\"1800.0\"} 1\nh_bucket{le=\"+Inf\"} 1\n",
                "# HELP h H.\n# TYPE h histogram\nh_sum 1.0\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"0.0001\",a=\"2.0\"} 1\nh_bucket{le=\"1800\"} 1\nh_bucket{le=\"+Inf\"} 1\n",
            ),
            // A family without a series, and one behind it.
            (
                "# HELP e E.\n# TYPE e counter\n# HELP f F.\n# TYPE f gauge\nf 0\n# EOF\n",
                "# HELP e_total E.\n# TYPE e_total counter\n# HELP f F.\n# TYPE f gauge\nf 0\n",
            ),
        ] {
            assert_eq!(plain(open_metrics), expected);
        }
    }
}
