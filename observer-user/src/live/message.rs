//! What is said at the live socket: a hello, a request, and then what was asked for. Plain data,
//! of no other room.

use std::{borrow::Cow, net::IpAddr};

use serde::{Deserialize, Serialize};

/// Of these messages. Both sides say theirs; others than the same do not understand each other.
pub const VERSION: u32 = 1;

/// Rows of a snapshot at most.
pub const ROWS: usize = 10_000;

/// One of a closed set of names.
pub type Name = Cow<'static, str>;

/// What a viewer asks for, once a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// A snapshot now, and one each so many milliseconds.
    Watch {
        /// 250 at least.
        interval_ms: u64,
        /// And behind each what has ended since the one before, to begin with all that is kept.
        #[serde(default)]
        ended: bool,
        /// Rows of a snapshot; there may be more, if another viewer asks for them.
        #[serde(default = "all")]
        rows: usize,
    },
    /// One snapshot.
    Snapshot,
    /// What ended last.
    Recent {
        /// Which of it.
        filter: Filter,
        /// So many at most, to begin with.
        last: usize,
        /// And all that ends from now on.
        follow: bool,
    },
    /// The paths that no rule knows.
    Unmatched,
}

impl Request {
    /// Snapshots only, with all rows.
    pub fn watch(interval_ms: u64) -> Self {
        Self::Watch {
            interval_ms,
            ended: false,
            rows: ROWS,
        }
    }
}

fn all() -> usize {
    ROWS
}

/// Which of what ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// What failed only.
    pub failed: bool,
    /// Of this client only.
    pub client: Option<IpAddr>,
    /// Of this endpoint only.
    pub endpoint: Option<String>,
}

impl Filter {
    /// True if it is asked for.
    pub fn takes(&self, ended: &Ended) -> bool {
        (!self.failed || ended.failed)
            && self.client.is_none_or(|client| client == ended.client)
            && self
                .endpoint
                .as_ref()
                .is_none_or(|one| *one == ended.endpoint)
    }
}

/// What the observer says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// First, to everybody.
    Hello(Hello),
    /// What there is.
    Snapshot(Box<Snapshot>),
    /// What ended.
    Recent(Recent),
    /// The paths that no rule knows, the most frequent first.
    Unmatched(Vec<Unmatched>),
    /// Why nothing else is said.
    Refused(String),
}

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u32,
    /// The observer's own version.
    pub build: String,
}

impl Hello {
    /// Ours.
    pub fn ours() -> Self {
        Self {
            version: VERSION,
            build: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// All there is at one instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Seconds since 1970.
    pub at_s: f64,
    /// Seconds since the observer began.
    pub uptime_s: f64,
    /// Kernel events are being drained.
    pub healthy: bool,
    /// What starves, and how that is known.
    pub findings: Vec<Finding>,
    /// By protocol and endpoint.
    pub endpoints: Vec<Endpoint>,
    /// Where servers listen.
    pub listeners: Vec<Listener>,
    /// Where TFTP servers receive.
    pub udp_queues: Vec<UdpQueue>,
    /// Interfaces that carry boot traffic.
    pub links: Vec<Link>,
    /// What lives: what stands still, then the rest, each the oldest first.
    pub rows: Vec<Row>,
    /// How much that lives has no row.
    pub rows_left_out: usize,
    /// Processes that serve.
    pub servers: Vec<Server>,
    /// Hooks in the kernel.
    pub probes: Vec<Probe>,
    /// What could fill up.
    pub tables: Vec<Table>,
    /// Requests that are in no number, by reason.
    pub losses: Vec<Count>,
    /// Kernel events that found the ring full, by kind.
    pub ring_full: Vec<Count>,
    /// Who watches.
    pub viewers: usize,
}

/// What starves is said of the last seconds, so many.
const JUDGED_S: f64 = 5.0;

impl Snapshot {
    /// True once the observer has watched for as long as it takes to say that nothing starves.
    pub fn is_judged(&self) -> bool {
        self.uptime_s >= JUDGED_S
    }
}

/// Something starves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What, of a closed set.
    pub cause: String,
    /// Which endpoint suffers, if it is one.
    pub endpoint: Option<String>,
    /// A sentence.
    pub says: String,
    /// What was measured, each with its name.
    pub evidence: Vec<(String, f64)>,
    /// For so many seconds.
    pub since_s: f64,
}

/// How long what ended in the last minute took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many there were.
    pub count: u64,
    /// Seconds, as the next two.
    pub p50_s: f64,
    /// 19 of 20 took no longer.
    pub p95_s: f64,
    /// 99 of 100 took no longer.
    pub p99_s: f64,
}

/// An endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `http` or `tftp`.
    pub protocol: Name,
    /// Its name in the profile.
    pub endpoint: String,
    /// In flight now.
    pub in_flight: u64,
    /// Of those, that nobody has taken up.
    pub waiting: u64,
    /// Of those, that stand still.
    pub stalled: u64,
    /// Streams, which are not in flight.
    pub streams: u64,
    /// Ended since the observer began.
    pub ended: u64,
    /// Cut short or failed, of these.
    pub errors: u64,
    /// Payload since the observer began.
    pub bytes: u64,
    /// First byte to last.
    pub duration: Option<Quantiles>,
    /// Whole request to the first byte of its answer.
    pub wait: Option<Quantiles>,
}

/// The listening sockets of a port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    /// The port, or `other`.
    pub port: String,
    /// Somebody listens.
    pub up: bool,
    /// Connections that wait to be accepted.
    pub length: u64,
    /// How many may.
    pub limit: u64,
    /// Connections that were turned away, ever.
    pub drops: u64,
}

/// The UDP sockets of a port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UdpQueue {
    /// The port.
    pub port: u16,
    /// Somebody is bound to it.
    pub up: bool,
    /// Memory of datagrams that wait.
    pub bytes: u64,
    /// Datagrams that found no room, ever.
    pub drops: u64,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Bytes, ever.
    pub received: u64,
    /// Bytes, ever.
    pub sent: u64,
    /// Packets, ever.
    pub received_drops: u64,
    /// Packets, ever.
    pub sent_drops: u64,
    /// Bytes a second each way, if that is known.
    pub speed: Option<u64>,
}

/// A request or transfer that lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The same in each snapshot, and no other's.
    pub id: String,
    /// `http` or `tftp`.
    pub protocol: Name,
    /// Who asked.
    pub client: IpAddr,
    /// From where.
    pub client_port: u16,
    /// Which port of the server, of HTTP.
    pub server_port: Option<u16>,
    /// What it is counted as.
    pub endpoint: String,
    /// What it is to a booting machine.
    pub stage: Name,
    /// How it was asked for.
    pub method: Name,
    /// The beginning of path or file name; what is not UTF-8 is replaced.
    pub path: String,
    /// There was more of it.
    pub path_cut: bool,
    /// The status, once it is known.
    pub status: Option<u16>,
    /// When it began, seconds since 1970.
    pub began_s: f64,
    /// Seconds since then.
    pub age_s: f64,
    /// Where it is: `arriving`, `waiting`, `handling`, `transferring`, `draining`, `stream`.
    pub phase: Name,
    /// Where its time went so far.
    pub phases: Phases,
    /// Payload so far.
    pub bytes: u64,
    /// Of how much, if that is known.
    pub total: Option<u64>,
    /// Payload a second, since the last snapshot.
    pub rate: Option<f64>,
    /// What sending waited for in the last second, if it was looked at.
    pub limiter: Option<Name>,
    /// Packets that the server sent again; of HTTP since the connection began, if it was looked at.
    pub retransmits: Option<u64>,
    /// Who is waited for, if it stands still.
    pub stalled_by: Option<Name>,
    /// The process that took it up, if that is known.
    pub pid: Option<u32>,
}

/// Seconds; what is not known is in `handle_s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// No process had taken it up.
    pub queue_s: Option<f64>,
    /// It was arriving.
    pub receive_s: f64,
    /// The server was at work.
    pub handle_s: f64,
    /// It was being sent.
    pub transfer_s: Option<f64>,
}

/// A process that serves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// Where it serves.
    pub port: u16,
    /// How many exchanges it has taken up.
    pub exchanges: u64,
    /// Threads that run, of it and its kind.
    pub running: u64,
    /// Threads that sleep.
    pub sleeping: u64,
    /// Threads that wait for a disk or the like.
    pub blocked: u64,
    /// Threads that are stopped.
    pub stopped: u64,
    /// Of one processor.
    pub cpu_share: f64,
}

/// A hook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Its name.
    pub hook: Name,
    /// It is attached.
    pub attached: bool,
    /// How often it ran, while the kernel counts that.
    pub runs: Option<u64>,
    /// For how many seconds.
    pub run_s: Option<f64>,
}

/// A table that could fill up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub table: Name,
    /// What is in it.
    pub entries: usize,
    /// What there is room for.
    pub limit: usize,
}

/// How often something happened, ever.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// What.
    pub name: Name,
    /// How often.
    pub count: u64,
}

/// What ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recent {
    /// Oldest first.
    pub ended: Vec<Ended>,
    /// How many ended unseen, since more came than are kept.
    pub missed: u64,
    /// How many have ended since the observer began.
    pub count: u64,
}

/// A request or transfer that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Which one since the observer began.
    pub number: u64,
    /// When, seconds since 1970.
    pub at_s: f64,
    /// `http` or `tftp`.
    pub protocol: Name,
    /// Who asked.
    pub client: IpAddr,
    /// From where.
    pub client_port: u16,
    /// What it was counted as.
    pub endpoint: String,
    /// What it is to a booting machine.
    pub stage: Name,
    /// How it was asked for.
    pub method: Name,
    /// The beginning of path or file name; what is not UTF-8 is replaced.
    pub path: String,
    /// There was more of it.
    pub path_cut: bool,
    /// The status, if one was sent.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Name,
    /// It was cut short, or failed.
    pub failed: bool,
    /// Seconds.
    pub duration_s: f64,
    /// Where its time went.
    pub phases: Phases,
    /// Bytes sent.
    pub bytes: u64,
    /// Packets that the server sent again, of TFTP.
    pub retransmits: Option<u64>,
}

/// A path that no rule knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Unmatched {
    /// `http` or `tftp`.
    pub protocol: Name,
    /// Its beginning, escaped as in tables of paths.
    pub path: String,
    /// There was more of it.
    pub path_cut: bool,
    /// Why no rule knows it, or the rule that says so.
    pub rule: String,
    /// So often at most.
    pub count: u64,
    /// Of this so many may have been other paths.
    pub excess: u64,
}
