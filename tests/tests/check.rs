//! `pxe-observer check`: what a host allows, and what to do about what it does not.

use std::process::{Command, Stdio};

use observer_user::kernel::Hook;
use serde_json::Value;
use tests::{observer, require_root};

/// The exit status and the rows.
fn check(command: &mut Command) -> (Option<i32>, Vec<Value>) {
    let output = command.stdin(Stdio::null()).output().expect("start");
    let rows = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("{error}: {said}")
    });
    (output.status.code(), rows)
}

const ARGUMENTS: [&str; 4] = ["check", "--json", "--web.listen-address", "127.0.0.1:0"];

fn row<'a>(rows: &'a [Value], what: &str) -> &'a Value {
    let found = rows.iter().find(|row| row["what"] == what);
    found.unwrap_or_else(|| panic!("no row {what}: {rows:#?}"))
}

#[test]
fn each_probe_is_really_attached() {
    require_root();
    let (code, rows) = check(Command::new(observer::binary()).args(ARGUMENTS));
    assert_eq!(code, Some(0), "{rows:#?}");
    for hook in Hook::ALL {
        let row = row(&rows, &format!("probe {}", hook.name()));
        assert_eq!(row["state"], "ok", "{row}");
    }
}

#[test]
fn what_is_missing_comes_with_its_fix() {
    require_root();
    let no_bpf = [
        "--bounding-set",
        "-bpf,-sys_admin",
        "--inh-caps",
        "-bpf,-sys_admin",
    ];
    let mut without_bpf = Command::new("setpriv");
    without_bpf.args(no_bpf).arg(observer::binary());
    let script = "set -e; mount -t tmpfs none /sys/kernel/btf; umount -a -t tracefs,debugfs
        exec \"$@\"";
    let mut without_btf = Command::new("unshare");
    without_btf
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(observer::binary());
    for (mut command, code, what, state, fix) in [
        (without_bpf, 1, "capabilities", "failed", "grant CAP_BPF"),
        (
            without_btf,
            0,
            "tracefs",
            "missing",
            "mount -t tracefs nodev",
        ),
    ] {
        let (ended, rows) = check(command.args(ARGUMENTS));
        assert_eq!(ended, Some(code), "{rows:#?}");
        let row = row(&rows, what);
        assert_eq!(row["state"], state, "{row}");
        assert!(
            row["fix"].as_str().is_some_and(|said| said.contains(fix)),
            "{row}"
        );
    }
}
