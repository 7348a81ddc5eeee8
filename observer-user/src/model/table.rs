//! The tables that could fill up.

/// A table with a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// The kernel side's connections.
    Conns,
    /// The kernel side's early data, which has no socket yet.
    Pending,
    /// The kernel side's connections whose messages are followed by their framing.
    Pipes,
    /// The kernel side's TFTP clients.
    Transfers,
    /// The tracker's connections.
    Tracker,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Conns,
        Self::Pending,
        Self::Pipes,
        Self::Transfers,
        Self::Tracker,
    ];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conns => "conns",
            Self::Pending => "pending",
            Self::Pipes => "pipes",
            Self::Transfers => "transfers",
            Self::Tracker => "tracker",
        }
    }
}
