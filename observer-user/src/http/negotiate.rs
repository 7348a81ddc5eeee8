//! Which format a scraper wants (RFC 9110 12.5.1).

use axum::http::{HeaderMap, header::ACCEPT};
use mediatype::{MediaType, MediaTypeList, Name, ReadParams as _};

use crate::metrics::Format;

/// The format that `Accept` likes best; text/plain where it likes both as much, and where it
/// likes neither: a scraper that asks for the impossible had rather have something to read.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let accepted: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    if quality(&accepted, &OPEN_METRICS) > quality(&accepted, &PLAIN) {
        Format::OpenMetrics
    } else {
        Format::Plain
    }
}

/// What is offered, as a scraper may name it.
struct Offer {
    kind: &'static str,
    subtype: &'static str,
    version: &'static str,
}

const PLAIN: Offer = Offer {
    kind: "text",
    subtype: "plain",
    version: "0.0.4",
};
const OPEN_METRICS: Offer = Offer {
    kind: "application",
    subtype: "openmetrics-text",
    version: "1.0.0",
};

/// In thousandths, by the most specific range that names the offer. What cannot be read is left
/// out: it is one range of a list.
fn quality(accepted: &[&str], offer: &Offer) -> u16 {
    let ranges = accepted.iter().flat_map(|list| MediaTypeList::new(list));
    let fitting = ranges
        .flatten()
        .filter_map(|range| Some((specificity(&range, offer)?, weight(&range)?)));
    fitting.max().map_or(0, |(_, weight)| weight)
}

/// How exactly a range names the offer, if it does.
fn specificity(range: &MediaType<'_>, offer: &Offer) -> Option<u8> {
    let (kind, subtype) = (range.ty.as_str(), range.subty.as_str());
    let version = range.get_param(Name::new_unchecked("version"));
    let named = kind.eq_ignore_ascii_case(offer.kind);
    match (kind, subtype, version) {
        ("*", "*", _) => Some(0),
        (_, "*", _) if named => Some(1),
        (_, _, version) if named && subtype.eq_ignore_ascii_case(offer.subtype) => match version {
            None => Some(2),
            Some(version) => (version.unquoted_str() == offer.version).then_some(3),
        },
        _ => None,
    }
}

/// `q`, in thousandths: 1 if it is not there.
fn weight(range: &MediaType<'_>) -> Option<u16> {
    let Some(q) = range.get_param(Name::new_unchecked("q")) else {
        return Some(1000);
    };
    let q: f32 = q.as_str().parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000"
    )]
    (0.0..=1.0)
        .contains(&q)
        .then_some((q * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_best_liked_format_is_chosen() {
        use Format::{OpenMetrics, Plain};
        for (accept, expected) in [
            // Prometheus 2.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            // Prometheus 3.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                OpenMetrics,
            ),
            // Prometheus with PrometheusText0.0.4 first.
            (
                "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
                Plain,
            ),
            // A browser, curl, nobody.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Plain,
            ),
            ("*/*", Plain),
            ("", Plain),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=1.0.0", OpenMetrics),
            (
                "application/openmetrics-text; version=\"1.0.0\"",
                OpenMetrics,
            ),
            ("application/openmetrics-text; version=2.0.0", Plain),
            ("application/openmetrics-text;q=0", Plain),
            ("application/*, text/*;q=0.9", OpenMetrics),
            ("*/*, text/plain;q=0.1", OpenMetrics),
            (
                "text/plain;q=0.5, application/openmetrics-text;q=0.5",
                Plain,
            ),
            ("application/json", Plain),
            // What is malformed is left out.
            ("/;q=0.1, application/openmetrics-text", OpenMetrics),
            ("application/openmetrics-text;q=nonsense", Plain),
            ("application/openmetrics-text;q=7", Plain),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(format(&headers), expected, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new()), Plain);
    }

    #[test]
    fn two_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        for accept in ["text/plain;q=0.5", "application/openmetrics-text;q=0.9"] {
            headers.append(ACCEPT, HeaderValue::from_static(accept));
        }
        assert_eq!(format(&headers), Format::OpenMetrics);
    }
}
