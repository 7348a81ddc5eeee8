//! Which kernel runs.

use rustix::system::uname;

/// Its first two numbers, if its release begins with them.
pub fn version() -> Option<(u32, u32)> {
    numbers(&uname().release().to_string_lossy())
}

fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_begins_with_two_numbers() {
        for (release, expected) in [
            ("5.10.0-30-amd64", Some((5, 10))),
            ("6.18.5", Some((6, 18))),
            ("7.0-rc1", Some((7, 0))),
            ("nonsense", None),
        ] {
            assert_eq!(numbers(release), expected, "{release}");
        }
    }
}
