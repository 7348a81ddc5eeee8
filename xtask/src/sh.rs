//! Child processes: each is printed before it runs, and a failure names the command.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    ensure!(status.success(), "`{}`: {status}", line(command));
    Ok(())
}

/// Runs a command that must succeed and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    announce(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| not_started(command))?;
    let status = output.status;
    ensure!(status.success(), "`{}`: {status}", line(command));
    String::from_utf8(output.stdout).with_context(|| format!("output of `{}`", line(command)))
}

/// Runs a command whose exit code the caller judges.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    announce(command);
    command.status().with_context(|| not_started(command))
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// A program as root: by sudo, where this is not root.
pub(crate) fn as_root(program: impl AsRef<OsStr>) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut sudo = Command::new("sudo");
    sudo.arg("--preserve-env").arg(program);
    sudo
}

/// Quotes a word for `sh`, where it needs quoting.
pub(crate) fn quote(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+=.,:/@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

fn announce(command: &Command) {
    eprintln!("+ {}", line(command));
}

fn not_started(command: &Command) -> String {
    format!("cannot start `{}`", line(command))
}

/// The command as it could be typed: directory, environment, program, arguments.
fn line(command: &Command) -> String {
    let word = |word: &OsStr| quote(&word.to_string_lossy()).into_owned();
    let directory = command.get_current_dir();
    let directory = directory.map(|dir| format!("cd {} &&", word(dir.as_os_str())));
    let environment = command
        .get_envs()
        .filter_map(|(key, value)| Some(format!("{}={}", key.to_string_lossy(), word(value?))));
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = directory
        .into_iter()
        .chain(environment)
        .chain(words.map(word))
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_as_it_could_be_typed() {
        let check = |command: &mut Command, expected| assert_eq!(line(command), expected);
        check(Command::new("true").args(["-x", "a/b"]), "true -x a/b");
        check(
            Command::new("echo").args(["", "it's"]),
            r"echo '' 'it'\''s'",
        );
        check(
            Command::new("ls").current_dir("/a b").env("K", "v w"),
            "cd '/a b' && K='v w' ls",
        );
    }

    #[test]
    fn a_failure_names_the_command_and_its_exit() {
        let check = |result: Result<String>, expected: &str| {
            let text = result.unwrap_or_else(|error| format!("{error:#}"));
            assert!(text.starts_with(expected), "{text}");
        };
        check(output(Command::new("echo").arg("hello")), "hello\n");
        check(
            run(Command::new("sh").args(["-c", "exit 3"])).map(|()| String::new()),
            "`sh -c 'exit 3'`: exit status: 3",
        );
        check(
            output(&mut Command::new("no-such-program")),
            "cannot start `no-such-program`: No such file",
        );
    }
}
