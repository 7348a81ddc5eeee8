//! Servers whose queues cannot be read.

use std::process::Command;

use tests::{
    netns::Netns,
    observer::{self, Observer},
    python::SlowPython,
    require_root,
};

use crate::until;

/// The daemon without some capabilities.
fn without(bounds: &str, port: u16) -> Observer {
    let mut command = Command::new("setpriv");
    command
        .args(["--bounding-set", bounds, "--inh-caps", bounds])
        .arg(observer::binary())
        .args(["run", "--web.listen-address", "127.0.0.1:0"])
        .args(["--http-port", &port.to_string()])
        // Nor is dnsmasq of the tests beside this one wanted.
        .args(["--tftp-port", "18416"]);
    Observer::start_command(&mut command).expect("observer")
}

#[test]
fn namespaces_that_cannot_be_entered_are_told() {
    const PORT: u16 = 18_415;
    require_root();
    let netns = Netns::new("closed").expect("netns");
    let server = SlowPython::start(&netns, PORT, 0, 1).expect("python");
    for (bounds, unreachable, said) in [
        (
            "-sys_admin",
            1.0,
            "in 1 network namespaces are not known, they cannot be entered: \
             Operation not permitted (os error 1) (that needs CAP_SYS_ADMIN)",
        ),
        (
            "-sys_admin,-sys_ptrace",
            0.0,
            "where some processes live cannot be read (that needs CAP_SYS_PTRACE)",
        ),
    ] {
        let observer = without(bounds, PORT);
        let (scrape, _) = until(&observer, PORT, |state| state.up == 0.0);
        let counted = scrape.sum("pxe_observer_namespaces_unreachable", &[]);
        assert_eq!(counted, unreachable, "{bounds}");
        assert_eq!(scrape.sum("pxe_observer_errors_total", &[]), 0.0);
        let (_, _, log) = observer.stop().expect("stop");
        assert_eq!(log.matches(said).count(), 1, "{log}");
    }
    server.stop().expect("stop");
}
