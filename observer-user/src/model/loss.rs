//! Every way of losing something, counted by reason.

/// Why something is not in the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The event ring was full when the request began.
    RingFull,
    /// The connection table was full when the request began.
    TableFull,
    /// The table of early data was full.
    PendingOverflow,
    /// Two connections with the same addresses and ports had early data.
    PendingCollision,
    /// A request was under way when we came.
    JoinedMidway,
    /// Requests sent without waiting for the answers.
    PipelinedOpaque,
    /// A request's head that could not be read.
    Undecodable,
    /// An exchange whose end was never told.
    Swept,
}

impl Loss {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::RingFull,
        Self::TableFull,
        Self::PendingOverflow,
        Self::PendingCollision,
        Self::JoinedMidway,
        Self::PipelinedOpaque,
        Self::Undecodable,
        Self::Swept,
    ];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::RingFull => "ring_full",
            Self::TableFull => "table_full",
            Self::PendingOverflow => "pending_overflow",
            Self::PendingCollision => "pending_collision",
            Self::JoinedMidway => "joined_midway",
            Self::PipelinedOpaque => "pipelined_opaque",
            Self::Undecodable => "undecodable",
            Self::Swept => "swept",
        }
    }
}
