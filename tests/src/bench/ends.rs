//! A process of the [`Crowd`](super::crowd::Crowd): both ends of some connections and transfers.
//! It is told by lines what to do, and says when it is done.

use std::io::{BufRead as _, Write as _, stdin, stdout};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use super::{tftp::Tftp, traffic::Http};

/// What it can be told to do, so many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Verb {
    /// Open connections; each has its first requests answered.
    Connect,
    /// Requests over the connections in turn, each answered.
    Request,
    /// Requests over the connections in turn that wait for their answers.
    Ask,
    /// The answers of those.
    Answer,
    /// Close all connections.
    Close,
    /// Begin transfers.
    Begin,
    /// Blocks of the transfers in turn, each acknowledged.
    Pair,
    /// Last blocks of the transfers in turn, each acknowledged.
    Finish,
    /// Close the sockets of all transfers.
    Leave,
}

impl Verb {
    /// The line that tells it.
    pub(super) fn line(self, times: usize) -> Result<String> {
        let word = self.to_possible_value().context("a verb has a name")?;
        Ok(format!("{} {times}\n", word.get_name()))
    }

    fn parse(line: &str) -> Result<(Self, usize)> {
        let (word, times) = line.split_once(' ').context("a verb and a number")?;
        let verb = Self::from_str(word, false).map_err(anyhow::Error::msg)?;
        Ok((verb, times.parse()?))
    }
}

/// Says its ports of HTTP and of TFTP, and does what it is told until there is nobody to tell it.
pub fn serve() -> Result<()> {
    let (mut http, mut tftp) = (Http::new()?, Tftp::new()?);
    say(&format!("{} {}", http.port()?, tftp.port()?))?;
    for line in stdin().lock().lines() {
        let (verb, times) = Verb::parse(&line?)?;
        match verb {
            Verb::Connect => http.hold(http.held() + times)?,
            Verb::Request => http.keep_alive(times)?,
            Verb::Ask => http.ask(times)?,
            Verb::Answer => http.answer(times)?,
            Verb::Close => http.hold(0)?,
            Verb::Begin => tftp.begin(times)?,
            Verb::Pair => tftp.pairs(times)?,
            Verb::Finish => tftp.finish(times)?,
            Verb::Leave => tftp.leave(),
        }
        say("done")?;
    }
    Ok(())
}

fn say(line: &str) -> Result<()> {
    let mut output = stdout().lock();
    writeln!(output, "{line}")?;
    output.flush().context("say what was done")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_verb() {
        for verb in Verb::value_variants() {
            let line = verb.line(7).expect("a line");
            assert_eq!(Verb::parse(line.trim_end()).expect("a verb"), (*verb, 7));
        }
        for line in ["", "pair", "pair x", "dance 1"] {
            assert!(Verb::parse(line).is_err(), "{line}");
        }
    }
}
