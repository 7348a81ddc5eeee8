//! Request methods as a closed set: a label never follows the traffic.

use crate::model::classify::Access;

/// A method (RFC 9110 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD: its answer has no body, whatever its fields say.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
    /// OPTIONS.
    Options,
    /// Any other.
    Other,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Options,
        Self::Other,
    ];

    /// From the request line; methods are case-sensitive.
    pub fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|method| method.name() == text)
            .unwrap_or(Self::Other)
    }

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "other",
        }
    }

    /// What it does to the resource.
    pub fn access(self) -> Access {
        match self {
            Self::Get | Self::Head => Access::Read,
            Self::Post | Self::Put | Self::Patch | Self::Delete => Access::Write,
            Self::Options | Self::Other => Access::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_case_sensitive_and_closed() {
        for (text, method) in [
            ("GET", Method::Get),
            ("get", Method::Other),
            ("DELETE", Method::Delete),
            ("PROPFIND", Method::Other),
            ("other", Method::Other),
            ("", Method::Other),
        ] {
            assert_eq!(Method::parse(text), method, "{text}");
        }
    }
}
