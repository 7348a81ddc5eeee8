//! The kernel, what is mounted, what this process may do, who else is there.

use std::fs;

use rustix::system::uname;

use super::Row;
use crate::{
    config::Config,
    daemon::PORT,
    diag::{self, Named, Owner},
    http,
    kernel::{self, grant, missing_capabilities, root_cgroup},
};

/// The oldest kernel that it is tested on.
const OLDEST: (u32, u32) = (5, 10);
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
/// They pass requests on, as a rule to servers on this host.
const PROXIES: [&str; 9] = [
    "haproxy",
    "envoy",
    "traefik",
    "varnishd",
    "squid",
    "pound",
    "hitch",
    "stunnel4",
    "docker-proxy",
];

pub(super) fn rows() -> Vec<Row> {
    vec![
        kernel_version(),
        types(),
        tracefs(),
        lockdown(),
        cgroup(),
        capabilities(),
    ]
}

/// What is there at the ports that we serve at and watch.
pub(super) fn ports(config: &Config) -> Vec<Row> {
    let metrics = match http::bind(&config.listen, PORT) {
        Ok(bound) => {
            let places = bound.iter().flat_map(std::net::TcpListener::local_addr);
            let places: Vec<String> = places.map(|place| place.to_string()).collect();
            Row::ok(
                "metrics port",
                format!("{} can be bound", places.join(", ")),
            )
        }
        Err(error) => Row::failed(
            "metrics port",
            format!("{error:#}"),
            "if that is a pxe-observer that runs already, all is well",
        ),
    };
    vec![metrics, servers(config), proxies()]
}

fn kernel_version() -> Row {
    let name = uname();
    let release = name.release().to_string_lossy().into_owned();
    let said = format!("Linux {release} on {}", name.machine().to_string_lossy());
    match kernel::version() {
        Some(version) if version < OLDEST => {
            Row::failed("kernel", said, "it needs Linux 5.10 or newer")
        }
        Some(_) | None => Row::ok("kernel", said),
    }
}

fn types() -> Row {
    match kernel::types() {
        Ok(()) => Row::ok("BTF", "the kernel tells its types"),
        Err(error) => Row::missing(
            "BTF",
            format!("TFTP drops are not counted: {error:#}"),
            "a kernel with CONFIG_DEBUG_INFO_BTF has it; else tracefs serves in part",
        ),
    }
}

fn tracefs() -> Row {
    match (kernel::tracepoints(), kernel::types()) {
        (Ok(()), _) => Row::ok("tracefs", "the classic tracepoints can be read"),
        (Err(_), Ok(())) => Row::ok("tracefs", "not there, and not needed where there is BTF"),
        (Err(error), Err(_)) => Row::missing(
            "tracefs",
            format!("{error:#}"),
            "`mount -t tracefs nodev /sys/kernel/tracing`, or CAP_DAC_READ_SEARCH",
        ),
    }
}

fn lockdown() -> Row {
    let text = fs::read_to_string(LOCKDOWN).unwrap_or_default();
    let active = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    Row::ok(
        "lockdown",
        match active {
            None => "this kernel has none, or does not tell".to_owned(),
            Some((mode, _)) => format!("{mode}; nothing that it forbids is needed"),
        },
    )
}

fn cgroup() -> Row {
    match root_cgroup() {
        Ok(_) => Row::ok("cgroup2", "the host's root cgroup can be opened"),
        Err(error) => Row::failed(
            "cgroup2",
            format!("{error:#}"),
            "`mount -t cgroup2 none /sys/fs/cgroup`; containers: --cgroupns=host",
        ),
    }
}

fn capabilities() -> Row {
    let lacks = missing_capabilities().map(|missing| {
        let lack = |(capability, reason)| format!("{capability} {reason}");
        missing.into_iter().map(lack).collect::<Vec<_>>().join(", ")
    });
    match lacks {
        Ok(lacks) if lacks.is_empty() => Row::ok("capabilities", "all that attaching takes"),
        Ok(lacks) => Row::failed("capabilities", format!("lacks {lacks}"), grant()),
        Err(error) => Row::failed("capabilities", format!("{error:#}"), grant()),
    }
}

fn servers(config: &Config) -> Row {
    let watched = if config.http_ports.is_empty() {
        diag::listening_ports()
    } else {
        Ok(config.http_ports.clone())
    };
    match watched {
        Ok(ports) if ports.is_empty() => Row::ok(
            "HTTP ports",
            "nobody listens yet; ports are learned from their first packet",
        ),
        Ok(ports) => {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            Row::ok("HTTP ports", format!("would watch {}", ports.join(", ")))
        }
        Err(error) => Row::missing(
            "HTTP ports",
            format!("who listens cannot be read: {error:#}"),
            "name them by --http-port; others are learned from their first packet",
        ),
    }
}

fn proxies() -> Row {
    let owners =
        diag::listening_ports().and_then(|ports| diag::owners(&ports.into_iter().collect()));
    let mut found = Vec::new();
    for (port, owner) in owners.unwrap_or_default() {
        if let Owner::Processes(processes) = owner {
            let proxies = processes
                .iter()
                .filter(|one| PROXIES.contains(&one.comm.as_str()));
            found.extend(proxies.map(|Named { comm, .. }| format!("{comm} at {port}")));
        }
    }
    if found.is_empty() {
        return Row::ok("local proxies", "none that is known by its name");
    }
    Row::missing(
        "local proxies",
        format!(
            "{}: what it passes on to this host counts twice",
            found.join(", ")
        ),
        "--local-clients ignore leaves out what arrives over loopback",
    )
}
