//! What can be wrong, and what the observer is to say of it.

use clap::ValueEnum;

/// One cause of starvation, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Scenario {
    /// Ordinary boots, and nothing wrong
    Control,
    /// A server with one worker, which converts images meanwhile
    Converter,
    /// Four worker processes, which clients hold that read an OS image slowly
    FewWorkers,
    /// A server of many threads, which waits for its store before a boot script
    SlowStore,
    /// A short accept queue, and a server that accepts slowly
    SmallBacklog,
    /// A server that is stopped (SIGSTOP)
    Stopped,
    /// A server that is not there
    Down,
    /// A server whose workers wait for the disk
    SlowDisk,
    /// Lost TCP segments
    Loss,
    /// Downloads that fill a link
    Link,
    /// Clients that read slowly
    SlowClients,
    /// A TFTP server that serves as many as it takes
    TftpLimit,
    /// Lost UDP packets
    TftpLoss,
    /// A TFTP server that does not read as fast as clients ask
    UdpDrops,
}

impl Scenario {
    /// Its name, as it is typed.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What is wrong in it, in words.
    pub fn says(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        help.map_or_else(String::new, ToString::to_string)
    }

    /// The label of the cause that is to be said.
    pub fn cause(self) -> Option<&'static str> {
        Some(match self {
            Self::Control => return None,
            Self::Converter | Self::FewWorkers => "workers_busy",
            Self::SlowStore => "handler_slow",
            Self::SmallBacklog => "accept_queue",
            Self::Stopped => "server_stopped",
            Self::Down => "server_down",
            Self::SlowDisk => "server_disk",
            Self::Loss => "network_loss",
            Self::Link => "link_full",
            Self::SlowClients => "client_slow",
            Self::TftpLimit => "tftp_admission",
            Self::TftpLoss => "tftp_loss",
            Self::UdpDrops => "udp_drops",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_and_words_and_all_but_one_a_cause() {
        let named = |one: &&Scenario| !one.name().is_empty() && !one.says().is_empty();
        let all = Scenario::value_variants();
        assert_eq!(all.iter().filter(named).count(), all.len());
        let calm: Vec<_> = all.iter().filter(|one| one.cause().is_none()).collect();
        assert_eq!(calm, [&Scenario::Control]);
    }
}
