//! `pxe-observer classify`: what a request would be counted as, and which rule says so.

use std::{
    ffi::OsString,
    io::{BufRead, Write},
    os::unix::ffi::OsStringExt as _,
    process::ExitCode,
};

use anyhow::{anyhow, bail};

use super::{
    Ended, ProfileArgs, Streams,
    table::{Request, for_each_row},
};
use crate::model::classify::{Classifier, Proto, escape::escape};

/// Print the endpoint, the rule and the path of each request, a line each
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// The rules to ask.
    #[command(flatten)]
    pub profile: ProfileArgs,

    /// The paths are TFTP file names
    #[arg(long)]
    pub tftp: bool,

    /// The request's method [default: GET, with --tftp RRQ]
    #[arg(long, value_name = "M")]
    pub method: Option<String>,

    /// Request targets as they are on the wire; `-` reads lines `proto TAB method TAB path` from
    /// standard input, where \\ is a backslash, \n a line feed and \xHH any byte
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<OsString>,
}

/// Runs the command.
///
/// # Errors
///
/// Only what could not be written; what cannot be used is said on `err`, with exit status 2.
pub fn run(args: Args, streams: &mut Streams<'_>) -> anyhow::Result<ExitCode> {
    end(args, streams).map(ExitCode::from)
}

fn end(args: Args, streams: &mut Streams<'_>) -> anyhow::Result<Ended> {
    let classifier = match args.profile.classifier() {
        Ok(classifier) => classifier,
        Err(error) => return streams.refuse(error),
    };
    if args.paths == ["-"] {
        if args.tftp || args.method.is_some() {
            return streams.refuse(anyhow!(
                "with `-`, each line has its own protocol and method"
            ));
        }
        return match rows(&classifier, streams.input, streams.out) {
            Ok(()) => Ok(Ended::Done),
            Err(error) => streams.refuse(error.context("standard input")),
        };
    }
    let proto = if args.tftp { Proto::Tftp } else { Proto::Http };
    let usual = if args.tftp { "RRQ" } else { "GET" };
    let method = args.method.as_deref().unwrap_or(usual).as_bytes();
    for path in args.paths {
        let request = Request::new(proto, method, path.into_vec());
        print(&classifier, &request, streams.out)?;
    }
    Ok(Ended::Done)
}

fn rows(
    classifier: &Classifier,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    for_each_row(input, |_, columns| {
        // More columns are none of ours: a truth table can be piped in as it is.
        let &[proto, method, path, ..] = columns else {
            bail!("not `proto TAB method TAB path`");
        };
        print(classifier, &Request::parse(proto, method, path)?, out)
    })
}

fn print(classifier: &Classifier, request: &Request, out: &mut dyn Write) -> anyhow::Result<()> {
    let class = classifier.classify(request.subject());
    let endpoint = classifier.endpoint_name(class.endpoint);
    let rule = classifier.rule_name(class.rule);
    writeln!(out, "{endpoint}\t{rule}\t{}", escape(request.target()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::Cursor, path::PathBuf};

    use super::*;

    /// What the command ends as, prints and complains of.
    fn check(args: Args, input: &str, expected: (Ended, &str, &str)) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ended = end(
            args,
            &mut Streams {
                input: &mut Cursor::new(input),
                out: &mut out,
                err: &mut err,
            },
        )
        .expect("nothing fails in memory");
        let text = |bytes| String::from_utf8(bytes).expect("text is UTF-8");
        let (out, err) = (text(out), text(err));
        assert_eq!((ended, &*out, &*err), expected);
    }

    fn paths(paths: &[&str]) -> Args {
        Args {
            paths: paths.iter().map(OsString::from).collect(),
            ..Args::default()
        }
    }

    #[test]
    fn prints_endpoint_rule_and_path() {
        let expected = "kernel\tR33\t/boot/vmlinuz\nother\t(control_byte)\t/a%0db\n";
        check(
            paths(&["/boot/vmlinuz", "/a%0db"]),
            "",
            (Ended::Done, expected, ""),
        );
    }

    #[test]
    fn protocol_and_method_decide_too() {
        let args = |tftp, method: Option<&str>| Args {
            tftp,
            method: method.map(str::to_owned),
            ..paths(&["x.iso"])
        };
        for (args, expected) in [
            (args(false, None), "image\tR31\tx.iso\n"),
            (args(false, Some("PUT")), "api\tR19\tx.iso\n"),
            (args(false, Some("get")), "other\t(method)\tx.iso\n"),
            (args(true, None), "image\tR31\tx.iso\n"),
            (args(true, Some("WRQ")), "other\tR02\tx.iso\n"),
            (args(true, Some("GET")), "other\t(method)\tx.iso\n"),
        ] {
            check(args, "", (Ended::Done, expected, ""));
        }
    }

    #[test]
    fn reads_escaped_rows_and_prints_them_escaped() {
        let input = "# comment\n\ntftp\tRRQ\tpxelinux.0\\xffQ\\n\nhttp\tGET\t/\\\\a.iso\tmore\n";
        let expected = "nbp\tR29\tpxelinux.0\\xffQ\\n\nimage\tR31\t/\\\\a.iso\n";
        check(paths(&["-"]), input, (Ended::Done, expected, ""));
    }

    #[test]
    fn names_the_line_that_is_no_row() {
        for (input, expected) in [
            (
                "http\tGET\n",
                "standard input: line 1: not `proto TAB method TAB path`\n",
            ),
            (
                "\nftp\tGET\t/\n",
                "standard input: line 2: the protocol is neither `http` nor `tftp`\n",
            ),
            (
                "http\tGET\t/\\q\n",
                "standard input: line 1: bad escape at byte 2 of the path (\\\\, \\n, \\xHH, AAAA{xN})\n",
            ),
        ] {
            check(paths(&["-"]), input, (Ended::Unusable, "", expected));
        }
    }

    #[test]
    fn refuses_a_rules_file_that_is_not_there() {
        let mut args = paths(&["/"]);
        args.profile.rules = Some(PathBuf::from("no/such/file"));
        let expected = "rules file no/such/file: No such file or directory (os error 2)\n";
        check(args, "", (Ended::Unusable, "", expected));
    }
}
