//! Why the kernel refused something, in one line: its error, the verifier's last words, what to do.

use std::io;

use anyhow::anyhow;
use aya::programs::ProgramError;

/// Of what the verifier said, the end: its reason stands there.
const LINES: usize = 4;
/// Its statistics come after the reason.
const STATISTICS: [&str; 3] = ["processed ", "stack depth ", "verification time "];
const BYTES: usize = 1024;

/// A refusal to load with what the verifier said last, instead of all that it said.
pub(super) fn brief(error: ProgramError) -> anyhow::Error {
    let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    else {
        return error.into();
    };
    let words = last_words(&verifier_log.to_string());
    let error = anyhow::Error::from(io_error).context(format!("the verifier said: {words}"));
    error.context("load")
}

fn last_words(log: &str) -> String {
    let is_reason =
        |line: &&str| !line.is_empty() && !STATISTICS.iter().any(|s| line.starts_with(s));
    let mut lines: Vec<&str> = log
        .lines()
        .map(str::trim)
        .rev()
        .filter(is_reason)
        .take(LINES)
        .collect();
    lines.reverse();
    if lines.is_empty() {
        return "nothing".to_owned();
    }
    lines.join(" | ")
}

/// The same error in one line, each cause once, with the fix that its number suggests.
pub(super) fn with_fix(error: anyhow::Error) -> anyhow::Error {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        let cause: Vec<&str> = cause.lines().map(str::trim).collect();
        let cause = cause.join(" | ");
        if !said.contains(&cause) {
            let colon = if said.is_empty() { "" } else { ": " };
            said = said + colon + &cause;
        }
    }
    said.truncate(said.floor_char_boundary(BYTES));
    let number = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::raw_os_error)
    };
    match error.chain().find_map(number).and_then(fix) {
        Some(fix) => anyhow!("{said}: {fix}"),
        None => anyhow!(said),
    }
}

fn fix(number: i32) -> Option<&'static str> {
    match number {
        libc::EPERM | libc::EACCES => Some(
            "a capability is missing, lockdown or a security module forbids it, or before Linux 5.11 memory must not be locked (ulimit -l); `pxe-observer check` says what",
        ),
        libc::ENOMEM => Some(
            "memory is short or limited (a unit's MemoryMax): raise the limit, or lower --max-connections and --ring-bytes",
        ),
        libc::EINVAL | libc::EOPNOTSUPP | libc::ENOSYS => Some(
            "this kernel cannot do it; it needs Linux 5.10 with CONFIG_CGROUP_BPF, and `pxe-observer check` says what is missing",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifiers_last_words_are_those_before_its_statistics() {
        for (log, words) in [
            ("", "nothing"),
            (
                "0: r1\n1: r2\n2: r3\n3: r4\n4: r5\nR1 invalid mem access\nprocessed 7 insns\n",
                "2: r3 | 3: r4 | 4: r5 | R1 invalid mem access",
            ),
        ] {
            assert_eq!(last_words(log), words);
        }
    }

    #[test]
    fn each_cause_is_told_once_and_the_fix_behind_them() {
        let error = |number| {
            let error = anyhow::Error::from(io::Error::from_raw_os_error(number));
            error
                .context("create A: Cannot allocate memory (os error 12)")
                .context("load")
        };
        let told = with_fix(error(libc::ENOMEM)).to_string();
        let begin = "load: create A: Cannot allocate memory (os error 12): memory is short";
        assert!(told.starts_with(begin), "{told}");
        assert!(
            with_fix(error(libc::EPERM))
                .to_string()
                .contains("`pxe-observer check`")
        );
        let other = with_fix(error(libc::EBUSY)).to_string();
        assert!(other.ends_with("busy (os error 16)"), "{other}");
    }
}
