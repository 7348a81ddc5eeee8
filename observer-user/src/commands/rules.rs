//! `pxe-observer rules`: the active rules, and a table of expectations held against them.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, bail};

use super::{
    Ended, ProfileArgs, Streams,
    profile::Active,
    table::{Request, for_each_row},
};
use crate::{
    live::{
        client::{Client, SocketArgs},
        message::{Message, Request as Asked},
    },
    model::classify::{Classifier, escape::escape},
};

/// Show the classification rules, or test them
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to do with them.
    #[command(subcommand)]
    pub command: Command,
}

/// What `rules` does.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Print the active rules, as the TOML that --rules reads
    Show {
        /// The rules to show.
        #[command(flatten)]
        profile: ProfileArgs,
    },
    /// Print the paths that no rule of a running observer knows, the most frequent first: lines
    /// `count TAB excess TAB proto TAB path TAB why`; of the count, `excess` may be other paths
    Unmatched {
        /// Where it runs.
        #[command(flatten)]
        socket: SocketArgs,
    },
    /// Print where the rules differ from a table: lines `path TAB endpoint`, or
    /// `proto TAB method TAB path TAB endpoint`; exit 1 if they do
    Test {
        /// The rules to test.
        #[command(flatten)]
        profile: ProfileArgs,

        /// The table
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Runs the command.
///
/// # Errors
///
/// Only what could not be written; what cannot be used is said on `err`, with exit status 2.
pub fn run(args: Args, streams: &mut Streams<'_>) -> anyhow::Result<ExitCode> {
    let ended = match args.command {
        Command::Show { profile } => show(&profile, streams),
        Command::Unmatched { socket } => unmatched(&socket, streams),
        Command::Test { profile, file } => test(&profile, &file, streams),
    };
    ended.map(ExitCode::from)
}

fn show(profile: &ProfileArgs, streams: &mut Streams<'_>) -> anyhow::Result<Ended> {
    match profile.load() {
        Ok(Active { text, .. }) => {
            streams.out.write_all(text.as_bytes())?;
            Ok(Ended::Done)
        }
        Err(error) => streams.refuse(error),
    }
}

fn unmatched(socket: &SocketArgs, streams: &mut Streams<'_>) -> anyhow::Result<Ended> {
    let Message::Unmatched(paths) = Client::once(&socket.live_socket, &Asked::Unmatched)? else {
        bail!("the observer says something else than was asked for");
    };
    for path in paths {
        let cut = if path.path_cut { "..." } else { "" };
        writeln!(
            streams.out,
            "{}\t{}\t{}\t{}{cut}\t{}",
            path.count, path.excess, path.protocol, path.path, path.rule
        )?;
    }
    Ok(Ended::Done)
}

fn test(profile: &ProfileArgs, file: &PathBuf, streams: &mut Streams<'_>) -> anyhow::Result<Ended> {
    let Count { rows, different } = match count(profile, file, streams.out) {
        Ok(count) => count,
        Err(error) => return streams.refuse(error),
    };
    writeln!(streams.err, "{rows} rows, {different} differ")?;
    Ok(if different == 0 {
        Ended::Done
    } else {
        Ended::No
    })
}

/// The rows of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    rows: usize,
    different: usize,
}

fn count(profile: &ProfileArgs, file: &PathBuf, out: &mut dyn Write) -> anyhow::Result<Count> {
    let classifier = profile.classifier()?;
    let name = || format!("table {}", file.display());
    let table = File::open(file).with_context(name)?;
    differences(&classifier, &mut BufReader::new(table), out).with_context(name)
}

/// Prints `line TAB path TAB expected TAB got TAB rule` for each row that differs.
fn differences(
    classifier: &Classifier,
    table: &mut dyn BufRead,
    out: &mut dyn Write,
) -> anyhow::Result<Count> {
    let mut count = Count::default();
    for_each_row(table, |line, columns| {
        let (request, expected) = match *columns {
            [path, expected] => (Request::parse(b"http", b"GET", path)?, expected),
            [proto, method, path, expected, ..] => (Request::parse(proto, method, path)?, expected),
            _ => bail!("not `path TAB endpoint` or `proto TAB method TAB path TAB endpoint`"),
        };
        count.rows += 1;
        let class = classifier.classify(request.subject());
        let got = classifier.endpoint_name(class.endpoint);
        if got.as_bytes() != expected {
            count.different += 1;
            let (path, expected) = (escape(request.target()), escape(expected));
            let rule = classifier.rule_name(class.rule);
            writeln!(out, "{line}\t{path}\t{expected}\t{got}\t{rule}")?;
        }
        Ok(())
    })?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{commands::BuiltIn, model::classify};

    fn check(table: &str, expected: Result<(usize, &str), &str>) {
        let mut out = Vec::new();
        let got = differences(&Classifier::generic(), &mut Cursor::new(table), &mut out);
        let out = String::from_utf8(out).expect("the output is text");
        let got = got
            .map(|count| (count.rows, &*out))
            .map_err(|e| format!("{e:#}"));
        assert_eq!(got, expected.map_err(str::to_owned));
    }

    #[test]
    fn a_table_that_agrees_has_no_differences() {
        check(
            "/vmlinuz\tkernel\ntftp\tRRQ\tx.iso\timage\tsource\n",
            Ok((2, "")),
        );
    }

    #[test]
    fn the_truth_table_is_a_table() {
        let table = include_str!("../../data/paths.tsv");
        check(table, Ok((631, "")));
    }

    #[test]
    fn prints_what_differs() {
        let table = "# mine\n/a b\tkernel\n\\xff.iso\timage\n/vmlinuz\tkernal\n";
        let expected = "2\t/a b\tkernel\tother\tR37\n4\t/vmlinuz\tkernal\tkernel\tR33\n";
        check(table, Ok((3, expected)));
    }

    #[test]
    fn names_the_line_that_is_no_row() {
        let what = "not `path TAB endpoint` or `proto TAB method TAB path TAB endpoint`";
        check("\n/vmlinuz\n", Err(&format!("line 2: {what}")));
    }

    #[test]
    fn shows_a_built_in_profile_as_it_is_read() {
        for (profile, text) in [
            (BuiltIn::Generic, classify::GENERIC),
            (BuiltIn::Dragonfly, classify::DRAGONFLY),
        ] {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let streams = &mut Streams {
                input: &mut Cursor::new(""),
                out: &mut out,
                err: &mut err,
            };
            let profile = ProfileArgs {
                profile: Some(profile),
                rules: None,
            };
            assert_eq!(show(&profile, streams).expect("written"), Ended::Done);
            assert_eq!(
                (out.as_slice(), err.as_slice()),
                (text.as_bytes(), &b""[..])
            );
        }
    }
}
