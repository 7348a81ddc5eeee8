//! What there is to starve of.

/// A cause; those that explain others come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Nobody listens at a port that was served.
    ServerDown,
    /// The server's processes are held by a signal.
    ServerStopped,
    /// The server's processes wait for a disk.
    ServerDisk,
    /// Each process that serves has its one exchange, and others wait.
    WorkersBusy,
    /// Connections are not accepted as fast as they come.
    AcceptQueue,
    /// The server takes long for its answers.
    HandlerSlow,
    /// A link takes no more.
    LinkFull,
    /// Segments get lost.
    NetworkLoss,
    /// Clients do not read.
    ClientSlow,
    /// Requests find a TFTP server's receive queue full.
    UdpDrops,
    /// A TFTP server serves as many as it ever does, and leaves requests unanswered.
    TftpAdmission,
    /// Blocks, or their acknowledgements, get lost.
    TftpLoss,
}

impl Cause {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::ServerDown,
        Self::ServerStopped,
        Self::ServerDisk,
        Self::WorkersBusy,
        Self::AcceptQueue,
        Self::HandlerSlow,
        Self::LinkFull,
        Self::NetworkLoss,
        Self::ClientSlow,
        Self::UdpDrops,
        Self::TftpAdmission,
        Self::TftpLoss,
    ];

    /// The label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServerDown => "server_down",
            Self::ServerStopped => "server_stopped",
            Self::ServerDisk => "server_disk",
            Self::WorkersBusy => "workers_busy",
            Self::AcceptQueue => "accept_queue",
            Self::HandlerSlow => "handler_slow",
            Self::LinkFull => "link_full",
            Self::NetworkLoss => "network_loss",
            Self::ClientSlow => "client_slow",
            Self::UdpDrops => "udp_drops",
            Self::TftpAdmission => "tftp_admission",
            Self::TftpLoss => "tftp_loss",
        }
    }

    /// True if what this one says follows from the other, of the same place.
    pub(super) fn follows_from(self, other: Self) -> bool {
        match other {
            Self::ServerDown | Self::ServerStopped => self > other,
            Self::ServerDisk => matches!(
                self,
                Self::WorkersBusy | Self::AcceptQueue | Self::HandlerSlow | Self::ClientSlow
            ),
            Self::WorkersBusy => matches!(
                self,
                Self::AcceptQueue | Self::HandlerSlow | Self::ClientSlow
            ),
            Self::LinkFull => matches!(self, Self::NetworkLoss | Self::ClientSlow | Self::TftpLoss),
            Self::NetworkLoss => self == Self::ClientSlow,
            Self::UdpDrops => self == Self::TftpAdmission,
            Self::AcceptQueue
            | Self::HandlerSlow
            | Self::ClientSlow
            | Self::TftpAdmission
            | Self::TftpLoss => false,
        }
    }
}
