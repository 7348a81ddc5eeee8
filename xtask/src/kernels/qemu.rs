//! One virtual machine: the command that starts it, and the verdict on its serial log.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::sh;

pub(super) struct Machine<'a> {
    pub(super) vmlinuz: &'a Path,
    pub(super) initramfs: &'a Path,
    /// Where `serial.log` and `qemu.log` go.
    pub(super) out: &'a Path,
    pub(super) tracefs: bool,
    pub(super) timeout: Duration,
}

/// Boots, waits for the end and judges. The error is that QEMU did not run at all.
pub(super) fn boot(machine: &Machine<'_>) -> Result<Verdict> {
    let log = machine.out.join("qemu.log");
    let serial = machine.out.join("serial.log");
    let messages = File::create(&log).with_context(|| format!("create {}", log.display()))?;
    let status = sh::status(
        command(machine)
            .stdin(std::process::Stdio::null())
            .stdout(messages.try_clone()?)
            .stderr(messages),
    )?;
    let text = fs::read(&serial).unwrap_or_default();
    let timed_out = matches!(status.code(), Some(124 | 137) | None);
    Ok(judge(&String::from_utf8_lossy(&text), timed_out))
}

fn command(machine: &Machine<'_>) -> Command {
    let Machine {
        vmlinuz,
        initramfs,
        out,
        tracefs,
        timeout,
    } = machine;
    // `timeout` and not a watch of our own: it ends QEMU also when we are killed first.
    // In the foreground, so that Ctrl-C reaches QEMU.
    let mut command = Command::new("timeout");
    command.args(["--foreground", "--kill-after=2"]);
    // Zero would mean no limit.
    command.arg(timeout.as_secs().max(1).to_string());
    // No KVM: an unusable /dev/kvm cannot be told from a good one without booting, and
    // emulation takes seconds.
    command.args(["qemu-system-x86_64", "-machine", "q35"]);
    command.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024"]);
    command.args(["-display", "none", "-nodefaults", "-no-reboot"]);
    command.arg("-serial");
    command.arg(format!("file:{}", out.join("serial.log").display()));
    command.arg("-kernel").arg(vmlinuz);
    command.arg("-initrd").arg(initramfs);
    let tracefs = if *tracefs { "on" } else { "off" };
    // panic=-1 reboots at once, which -no-reboot turns into an end.
    let kernel = format!("console=ttyS0 panic=-1 quiet loglevel=3 LAB_TRACEFS={tracefs}");
    command.arg("-append").arg(kernel);
    command
}

#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Passed,
    /// The program ended with another exit code than 0.
    Exit(u8),
    /// The kernel warned or oopsed while the program ran: its taint flags before and after.
    Tainted(u64, u64),
    /// The log ends with a kernel panic: its message.
    Panic(String),
    TimedOut {
        started: bool,
    },
    /// The machine went away without a word.
    Lost {
        started: bool,
    },
}

/// QEMU exits with 0 also after a kernel panic, so only the marks in the log count.
fn judge(serial: &str, timed_out: bool) -> Verdict {
    let number = |mark: &str, key: &str| {
        let line = serial.rsplit_once(mark)?.1.lines().next()?;
        let words = line.split_ascii_whitespace();
        let mut values = words.filter_map(|word| word.strip_prefix(key));
        values.next()?.parse::<u64>().ok()
    };
    let before = number("lab: begin ", "tainted=");
    let rc = number("lab: end ", "rc=").and_then(|rc| u8::try_from(rc).ok());
    let after = number("lab: end ", "tainted=");
    let started = before.is_some();
    match (rc, before, after) {
        (Some(0), Some(before), Some(after)) if before == after => Verdict::Passed,
        (Some(0), Some(before), Some(after)) => Verdict::Tainted(before, after),
        (Some(rc), Some(_), Some(_)) => Verdict::Exit(rc),
        _ => match panic(serial) {
            Some(message) => Verdict::Panic(message),
            None if timed_out => Verdict::TimedOut { started },
            None => Verdict::Lost { started },
        },
    }
}

fn panic(serial: &str) -> Option<String> {
    let rest = serial.split_once("Kernel panic - ")?.1;
    Some(rest.lines().next()?.trim_end().to_owned())
}

/// What went wrong; nothing for a machine that passed.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = |started: &bool| match started {
            true => "the program had started",
            false => "the program had not started",
        };
        match self {
            Self::Passed => Ok(()),
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Tainted(before, after) => {
                write!(f, "the kernel's taint flags went from {before} to {after}")
            }
            Self::Panic(message) => write!(f, "kernel panic, {message}"),
            Self::TimedOut { started } => write!(f, "timed out; {}", program(started)),
            Self::Lost { started } => write!(f, "ended early; {}", program(started)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_on_the_serial_line_decide() {
        const BEGIN: &str = "lab: begin tainted=0\r\n";
        let rows = [
            (
                "BEGIN\r\nlab: end rc=0 tainted=0\r\n",
                false,
                Verdict::Passed,
            ),
            // A machine that fails to power off still has its verdict.
            (
                "BEGINx\r\nlab: end rc=0 tainted=0\r\n",
                true,
                Verdict::Passed,
            ),
            ("BEGINlab: end rc=3 tainted=0\r\n", false, Verdict::Exit(3)),
            (
                "BEGINlab: end rc=139 tainted=512\r\n",
                false,
                Verdict::Exit(139),
            ),
            (
                "BEGINlab: end rc=0 tainted=512\r\n",
                false,
                Verdict::Tainted(0, 512),
            ),
            // A program cannot pass by printing the mark: the last one counts.
            (
                "BEGINlab: end rc=0 tainted=0\r\nlab: end rc=1 tainted=0\r\n",
                false,
                Verdict::Exit(1),
            ),
            ("BEGINlab: end rc=", false, Verdict::Lost { started: true }),
            (
                "lab: end rc=0 tainted=0\r\n",
                false,
                Verdict::Lost { started: false },
            ),
            ("BEGINhello", true, Verdict::TimedOut { started: true }),
            ("", true, Verdict::TimedOut { started: false }),
            ("", false, Verdict::Lost { started: false }),
            (
                "BEGIN[    2.1] Kernel panic - not syncing: sysrq\r\n[    2.2] CPU: 0\r\n",
                false,
                Verdict::Panic("not syncing: sysrq".into()),
            ),
        ];
        for (serial, timed_out, expected) in rows {
            let serial = serial.replace("BEGIN", BEGIN);
            assert_eq!(judge(&serial, timed_out), expected, "{serial}");
        }
    }
}
