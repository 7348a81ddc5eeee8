//! Status codes as a closed set.

/// A status code between 100 and 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(u16);

/// Registered codes (IANA "HTTP Status Code Registry").
const REGISTERED: [u16; 63] = [
    100, 101, 102, 103, 104, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303,
    304, 305, 306, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413,
    414, 415, 416, 417, 418, 421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503,
    504, 505, 506, 507, 508, 511,
];

impl Status {
    /// Any three-digit code; others are none.
    pub fn new(code: u16) -> Option<Self> {
        (100..600).contains(&code).then_some(Self(code))
    }

    /// The code.
    pub fn code(self) -> u16 {
        self.0
    }

    /// True for 1xx, which the final status follows; 101 is final.
    pub fn is_interim(self) -> bool {
        self.0 < 200 && !self.is_upgrade()
    }

    /// True for 101: the connection speaks another protocol from now on.
    pub fn is_upgrade(self) -> bool {
        self.0 == 101
    }

    /// True for 2xx.
    pub fn is_success(self) -> bool {
        self.0 / 100 == 2
    }

    /// True if the response has no body, whatever its fields say (RFC 9110 6.4.1).
    pub fn has_no_body(self) -> bool {
        self.0 < 200 || self.0 == 204 || self.0 == 304
    }

    /// The one that stands for all that share its label.
    pub fn labelled(self) -> Self {
        if REGISTERED.binary_search(&self.0).is_ok() {
            self
        } else {
            // Not registered in any class.
            Self(self.0 / 100 * 100 + 99)
        }
    }

    /// The label value: the code, or its class if it is not registered.
    pub fn label(self) -> String {
        if REGISTERED.binary_search(&self.0).is_ok() {
            self.0.to_string()
        } else {
            format!("{}xx", self.0 / 100)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn labels_are_codes_or_classes() {
        for (code, label) in [
            (200, "200"),
            (206, "206"),
            (299, "2xx"),
            (499, "4xx"),
            (599, "5xx"),
            (511, "511"),
        ] {
            let status = Status::new(code).expect("three digits");
            assert_eq!(status.label(), label);
            assert_eq!(status.labelled().label(), label);
        }
        assert!(Status::new(99).is_none() && Status::new(600).is_none());
    }

    #[test]
    fn a_label_has_one_status_that_stands_for_it() {
        let all = (100..600).filter_map(Status::new);
        let labelled: BTreeSet<Status> = all.clone().map(Status::labelled).collect();
        let labels: BTreeSet<String> = all.map(Status::label).collect();
        assert_eq!(labelled.len(), labels.len());
        assert_eq!(labels.len(), REGISTERED.len() + 5);
    }

    #[test]
    fn the_registry_is_sorted() {
        assert!(REGISTERED.is_sorted());
    }
}
