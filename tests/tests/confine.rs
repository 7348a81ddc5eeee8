//! What the daemon may still do once it observes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use observer_user::kernel::Hook;
use tests::{
    observer::{self, Observer},
    process::run,
    require_root,
};

/// CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE and CAP_SYS_ADMIN, as the kernel prints them.
const KEPT_BY_ROOT: &str = "0000000000280004";
const NONE: &str = "0000000000000000";

/// A field of /proc/PID/status of each thread.
fn of_threads(observer: &Observer, field: &str) -> Vec<String> {
    let folder = format!("/proc/{}/task", observer.pid().as_raw_nonzero());
    let threads = fs::read_dir(folder).expect("threads");
    let field = format!("{field}:\t");
    let value = |thread: PathBuf| {
        let status = fs::read_to_string(thread.join("status")).expect("status");
        let line = status.lines().find_map(|line| line.strip_prefix(&field));
        line.expect("a field").to_owned()
    };
    threads
        .map(|thread| value(thread.expect("a thread").path()))
        .collect()
}

fn check(observer: &Observer, capabilities: &str) {
    for (field, expected) in [
        ("CapEff", capabilities),
        ("CapPrm", capabilities),
        ("CapInh", NONE),
        ("CapAmb", NONE),
        ("NoNewPrivs", "1"),
        // A filter.
        ("Seccomp", "2"),
    ] {
        for found in of_threads(observer, field) {
            assert_eq!(found, expected, "{field}");
        }
    }
}

#[test]
fn it_keeps_only_what_reading_needs() {
    require_root();
    let observer = Observer::start(&["--http-port", "18251"]).expect("observer");
    observer.scrape().expect("scrape");
    check(&observer, KEPT_BY_ROOT);
    observer.stop().expect("stop");
}

/// As the unit starts it: a user of its own, with three capabilities.
#[test]
fn who_has_three_capabilities_keeps_none() {
    require_root();
    let folder = tempfile::tempdir().expect("folder");
    let binary = readable_copy(folder.path());
    let three = "-all,+bpf,+net_admin,+perfmon";
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    for set in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
        command.args([set, three]);
    }
    command
        .arg(binary)
        .args(["run", "--web.listen-address", "127.0.0.1:0"]);
    let observer = Observer::start_command(command.args(["--http-port", "18252"]));
    let observer = observer.expect("observer");
    let scrape = observer.scrape().expect("scrape");
    let attached = scrape.sum("pxe_observer_probe_attached", &[]);
    assert_eq!(attached, Hook::ALL.len() as f64);
    // Maps are read without a capability since 5.19.
    check(&observer, NONE);
    observer.stop().expect("stop");
}

fn readable_copy(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("chmod");
    let copy = folder.join("pxe-observer");
    fs::copy(observer::binary(), &copy).expect("copy");
    copy
}

/// 2.0 of 10 at most; systemd-analyze counts in tenths.
#[test]
fn the_unit_is_little_exposed() {
    let unit = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../packaging/pxe-observer.service"
    );
    let mut analyze = Command::new("systemd-analyze");
    let security = ["security", "--offline=true", "--threshold=20", "--no-pager"];
    run(analyze.args(security).arg(unit)).expect("an exposure of 2.0 or less");
}
