//! Which packaged kernel a version prefix means. Pure.

use std::cmp::Ordering;

/// Asks for the newest released kernel there is.
pub(super) const NEWEST: &str = "newest";

const IMAGE: &str = "linux-image-";
/// Debian's kernels for virtual machines: the smallest download, and all that these need.
const FLAVOUR: &str = "-cloud-amd64";

/// The kernel that fits best: `newest`, a prefix such as `5.10`, or a full version of any
/// flavour. Release candidates are taken only where a prefix fits nothing else: loaders
/// misread their names as versions.
pub(super) fn choose<'a>(wanted: &str, packages: &'a str) -> Option<&'a str> {
    let mut fitting: Vec<&str> = packages
        .lines()
        .filter_map(|package| package.strip_prefix(IMAGE))
        .filter(|version| *version == wanted || is_cloud(version) && fits(wanted, version))
        .collect();
    fitting.sort_by(|a, b| {
        let released = is_candidate(b).cmp(&is_candidate(a));
        released.then_with(|| compare(a, b))
    });
    let best = fitting.pop()?;
    (wanted != NEWEST || !is_candidate(best)).then_some(best)
}

/// The series on offer (`5.10`), oldest first, for an error message.
pub(super) fn series(packages: &str) -> Vec<String> {
    let images = packages.lines().filter_map(|line| line.strip_prefix(IMAGE));
    let mut versions: Vec<&str> = images.filter(|version| is_cloud(version)).collect();
    versions.sort_by(|a, b| compare(a, b));
    let mut series: Vec<String> = versions.into_iter().map(first_two_numbers).collect();
    series.dedup();
    series
}

fn first_two_numbers(version: &str) -> String {
    let numbers = version.split(|c: char| !c.is_ascii_digit());
    numbers.take(2).collect::<Vec<_>>().join(".")
}

fn is_cloud(version: &str) -> bool {
    version.ends_with(FLAVOUR) && version.starts_with(|c: char| c.is_ascii_digit())
}

fn is_candidate(version: &str) -> bool {
    version.contains("~rc") || version.contains("-rc")
}

/// `5.1` is a prefix of `5.1.0`, not of `5.10`.
fn fits(wanted: &str, version: &str) -> bool {
    let rest = version.strip_prefix(wanted);
    wanted == NEWEST || rest.is_some_and(|r| !r.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

/// Orders by runs of digits as numbers and the rest as text; `~` sorts before the end, as in
/// Debian's versions.
fn compare(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Tilde,
    End,
    Text(char),
    Number(u64),
}

fn parts(version: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = version;
    while let Some(first) = rest.chars().next() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (part, length) = match rest[..digits].parse() {
            Ok(number) => (Part::Number(number), digits),
            Err(_) if first == '~' => (Part::Tilde, 1),
            Err(_) => (Part::Text(first), first.len_utf8()),
        };
        parts.push(part);
        rest = &rest[length..];
    }
    parts.push(Part::End);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGES: &str = "\
linux-base
linux-binary-7.2.13+deb14-cloud-amd64
linux-image-amd64
linux-image-cloud-amd64
linux-image-5.1.7-cloud-amd64
linux-image-5.10.0-46-cloud-amd64
linux-image-5.10.0-9-cloud-amd64
linux-image-5.10.0-46-cloud-amd64-dbg
linux-image-5.10.0-46-amd64
linux-image-6.1.0-56-amd64
linux-image-7.2.13+deb14-cloud-amd64
linux-image-7.2.9+deb14-cloud-amd64
linux-image-7.3~rc7-cloud-amd64
linux-image-6.19-rc5-cloud-amd64
linux-image-8.0.1-amd64
";

    #[test]
    fn a_prefix_means_the_newest_kernel_that_fits() {
        let rows = [
            ("5.10", Some("5.10.0-46-cloud-amd64")),
            ("5.10.0-9", Some("5.10.0-9-cloud-amd64")),
            ("5.10.0-4", None),
            ("5.1", Some("5.1.7-cloud-amd64")),
            ("7", Some("7.2.13+deb14-cloud-amd64")),
            ("7.3", Some("7.3~rc7-cloud-amd64")),
            ("newest", Some("7.2.13+deb14-cloud-amd64")),
            ("6.1", None),
            ("6.1.0-56-amd64", Some("6.1.0-56-amd64")),
            ("cloud", None),
            ("", None),
        ];
        for (wanted, expected) in rows {
            assert_eq!(choose(wanted, PACKAGES), expected, "{wanted}");
        }
    }

    #[test]
    fn newest_is_never_a_release_candidate() {
        assert_eq!(choose("newest", "linux-image-7.3~rc7-cloud-amd64"), None);
    }

    #[test]
    fn numbers_compare_as_numbers_and_tilde_before_the_end() {
        for (older, newer) in [("6.9", "6.18"), ("7.3~rc7", "7.3"), ("7.2", "7.2.1")] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
        }
    }

    #[test]
    fn series_are_listed_once_and_oldest_first() {
        assert_eq!(series(PACKAGES), ["5.1", "5.10", "6.19", "7.2", "7.3"]);
    }
}
