//! What is missing is said in one sentence that names it and the fix.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use observer_user::kernel::Hook;
use tests::{
    netns::Netns,
    observer::{self, Observer},
    require_root,
};

/// Runs to its end; the exit code and what it said.
fn refused(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().expect("start");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn check(command: &mut Command, code: i32, sentence: &str) {
    let (ended, said) = refused(command);
    assert_eq!(ended, Some(code), "{said}");
    assert!(said.contains(sentence), "{said}");
    let lines = said
        .lines()
        .filter(|line| line.starts_with("pxe-observer: "))
        .count();
    // clap says what is wrong with a flag in its own way.
    assert!(lines == 1 || code == 2, "one sentence: {said}");
}

fn run_on(address: &str) -> Command {
    let mut command = Command::new(observer::binary());
    command.args(["run", "--web.listen-address", address]);
    command
}

#[test]
fn without_root_it_names_the_capabilities() {
    require_root();
    // Where everybody may read it.
    let folder = tempfile::tempdir().expect("folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    let copy = folder.path().join("pxe-observer");
    fs::copy(observer::binary(), &copy).expect("copy");
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&copy);
    command.args(["run", "--web.listen-address", "127.0.0.1:0"]);
    check(
        &mut command,
        1,
        "lacks CAP_BPF to load eBPF programs: run it as root, or grant CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON",
    );
}

#[test]
fn without_a_capability_it_names_it() {
    require_root();
    for (missing, bounds) in [
        ("CAP_BPF", "-bpf,-sys_admin"),
        ("CAP_NET_ADMIN", "-net_admin"),
        ("CAP_PERFMON", "-perfmon,-sys_admin"),
    ] {
        let mut command = Command::new("setpriv");
        command
            .args(["--bounding-set", bounds, "--inh-caps", bounds])
            .arg(observer::binary());
        command.args(["run", "--web.listen-address", "127.0.0.1:0"]);
        check(&mut command, 1, &format!("lacks {missing} "));
    }
}

#[test]
fn a_taken_port_is_named() {
    require_root();
    let holder = TcpListener::bind("127.0.0.1:0").expect("bind");
    let taken = holder.local_addr().expect("bound").to_string();
    let sentence =
        format!("{taken} is in use by another process: stop it, or choose another address");
    check(&mut run_on(&taken), 1, &sentence);
}

#[test]
fn its_own_port_is_not_watched() {
    require_root();
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("bind")
        .local_addr()
        .expect("bound");
    let mut command = run_on(&free.to_string());
    command.args(["--http-port", &free.port().to_string()]);
    check(&mut command, 1, "is where pxe-observer itself serves");
}

#[test]
fn a_bad_flag_is_named() {
    for (flag, value, said) in [
        ("--http-port", "0", "--http-port"),
        ("--http-port", "70000", "--http-port"),
        ("--http-ignore-port", "0", "--http-ignore-port"),
        ("--max-connections", "0", "0 is not in 1..=16777216"),
        ("--ring-bytes", "6000", "not a power of two from 4096"),
        ("--web.listen-address", "nowhere", "--web.listen-address"),
        ("--profile", "nonsense", "generic"),
        ("--no-such-flag", "1", "--no-such-flag"),
    ] {
        let mut command = Command::new(observer::binary());
        check(command.args(["run", flag, value]), 2, said);
    }
}

#[test]
fn a_bad_rules_file_is_named() {
    let folder = tempfile::tempdir().expect("folder");
    let rules = folder.path().join("rules.toml");
    fs::write(&rules, "[[rule]]\nnonsense = 1\n").expect("write");
    let mut command = run_on("127.0.0.1:0");
    check(command.arg("--rules").arg(&rules), 2, "rules.toml");
}

#[test]
fn a_bad_configuration_is_named_with_its_place() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("config.toml");
    fs::write(&file, "\nhttp_prot = [80]\n").expect("write");
    let said =
        "config.toml: line 2, column 1: unknown key http_prot: the nearest known one is http_port";
    check(run_on("127.0.0.1:0").arg("--config").arg(&file), 2, said);
    let mut command = Command::new(observer::binary());
    check(command.args(["config", "check"]).arg(&file), 2, said);
    fs::write(&file, "http_port = [80]\nhttp_ignore_port = [80]").expect("write");
    let said = "config.toml: http_port 80 and http_ignore_port 80 contradict each other";
    check(run_on("127.0.0.1:0").arg("--config").arg(&file), 2, said);
}

#[test]
fn in_a_cgroup_namespace_it_names_the_fix() {
    require_root();
    let script = "set -e; mount -t cgroup2 none \"$1\"; mkdir -p \"$1/pxeo-test-$$\"
        echo $$ > \"$1/pxeo-test-$$/cgroup.procs\"
        exec unshare --cgroup \"$2\" run --web.listen-address 127.0.0.1:0";
    let folder = tempfile::tempdir().expect("folder");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(observer::binary());
    check(
        &mut command,
        1,
        "start pxe-observer in the host's cgroup namespace",
    );
    remove_test_cgroups();
}

/// The cgroups that the test above made and that are empty now.
fn remove_test_cgroups() {
    let script = "set -e; mount -t cgroup2 none \"$1\"; rmdir \"$1\"/pxeo-test-*";
    let folder = tempfile::tempdir().expect("folder");
    let mut command = Command::new("unshare");
    let (code, said) = refused(
        command
            .args(["--mount", "sh", "-c", script, "sh"])
            .arg(folder.path()),
    );
    assert_eq!(code, Some(0), "{said}");
}

/// The daemon, behind what `script` does to mounts of its own.
fn start_behind(script: &str) -> Observer {
    let script = format!("set -e; {script}\nexec \"$1\" run --web.listen-address 127.0.0.1:0");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(observer::binary());
    Observer::start_command(&mut command).expect("it starts")
}

#[test]
fn without_a_cgroup2_mount_it_mounts_its_own() {
    require_root();
    let observer = start_behind(
        "umount -a -t cgroup2
        if grep -q cgroup2 /proc/self/mounts; then exit 9; fi",
    );
    let scrape = observer.scrape().expect("scrape");
    let attached = scrape.sum("pxe_observer_probe_attached", &[]);
    assert_eq!(attached, Hook::ALL.len() as f64);
    observer.stop().expect("stop");
}

/// Hides BTF, and gives tracefs or not.
fn without_btf(tracefs: &str) -> Observer {
    start_behind(&format!(
        "mount -t tmpfs none /sys/kernel/btf; umount -a -t tracefs,debugfs; {tracefs}"
    ))
}

#[test]
fn without_btf_the_classic_tracepoints_serve() {
    require_root();
    let observer = without_btf("mount -t tracefs nodev /sys/kernel/tracing");
    assert_eq!(
        observer
            .scrape()
            .expect("scrape")
            .sum("pxe_observer_probe_attached", &[]),
        4.0
    );
    observer.stop().expect("stop");
}

#[test]
fn without_btf_and_tracefs_it_says_what_is_not_observed() {
    require_root();
    let observer = without_btf("true");
    let scrape = observer.scrape().expect("scrape");
    for (probe, attached) in [
        ("ingress", 1.0),
        ("egress", 1.0),
        ("recv", 0.0),
        ("destroy", 0.0),
    ] {
        assert_eq!(
            scrape.sum("pxe_observer_probe_attached", &[("probe", probe)]),
            attached,
            "{probe}"
        );
    }
    let (_, _, log) = observer.stop().expect("stop");
    assert!(
        log.contains("mount -t tracefs nodev /sys/kernel/tracing"),
        "{log}"
    );
    assert!(
        log.contains("the wait for the server process is not observed"),
        "{log}"
    );
}

#[test]
fn the_namespaces_of_a_test_are_gone_after_it() {
    require_root();
    let netns = Netns::new("gone").expect("netns");
    drop(netns);
    let left = tests::process::run(Command::new("ip").args(["netns", "list"])).expect("ip");
    let ours = format!("pxeo-{}-", std::process::id());
    assert!(!left.contains(&ours), "{left}");
}

#[test]
fn more_tftp_ports_than_can_be_labels_are_refused() {
    let mut command = run_on("127.0.0.1:0");
    for port in 1..=17 {
        command.args(["--tftp-port", &port.to_string()]);
    }
    check(
        &mut command,
        2,
        "--tftp-port is given more than 16 times: each has series of its own",
    );
}
