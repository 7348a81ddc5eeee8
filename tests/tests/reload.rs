//! SIGHUP: all of a configuration is taken over, or nothing.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use rustix::process::Signal;
use tempfile::TempDir;
use tests::{
    client::{self, curl},
    netns::Netns,
    nginx::Nginx,
    observer::Observer,
    require_root,
    scrape::Scrape,
};

const SUCCESSFUL: &str = "pxe_observer_config_last_reload_successful";
const LARGE: usize = 64 << 20;

/// A configuration with rules, a server, and who observes it.
struct Stage {
    folder: TempDir,
    netns: Netns,
    nginx: Nginx,
    observer: Observer,
    port: u16,
}

impl Stage {
    fn new(port: u16, endpoint: &str) -> Self {
        require_root();
        let folder = tempfile::tempdir().expect("folder");
        let config = folder.path().join("config.toml");
        fs::write(
            &config,
            format!("http_port = [{port}]\nrules = 'rules.toml'"),
        )
        .expect("write");
        fs::write(folder.path().join("rules.toml"), rules([endpoint])).expect("write");
        let netns = Netns::new("reload").expect("netns");
        let nginx = Nginx::start(&netns, port, &[("/a", 1_000), ("/large", LARGE)]).expect("nginx");
        let config = config.to_str().expect("a path");
        let observer = Observer::start(&["--config", config]).expect("observer");
        Self {
            folder,
            netns,
            nginx,
            observer,
            port,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ask(&self) {
        let requests = [("GET", "/a").into()];
        let server = Ipv4Addr::LOCALHOST.into();
        curl(&self.netns, server, self.port, &requests, false).expect("curl");
    }

    /// Reloads, until it is said how it came out.
    fn reload(&self, successful: bool) -> Scrape {
        let since = |scrape: &Scrape| {
            scrape.sum(
                "pxe_observer_config_last_reload_success_timestamp_seconds",
                &[],
            )
        };
        let before = since(&self.observer.scrape().expect("scrape"));
        self.observer.signal(Signal::HUP).expect("signal");
        let came_out = |scrape: &Scrape| match successful {
            true => since(scrape) > before,
            false => scrape.sum(SUCCESSFUL, &[]) == 0.0,
        };
        let scrape = self.observer.until(came_out).expect("it is told");
        assert_eq!(scrape.sum(SUCCESSFUL, &[]), f64::from(successful));
        scrape
    }

    fn counted(&self, endpoint: &str, count: f64) {
        let total = |scrape: &Scrape| scrape.sum("http_requests_total", &[("endpoint", endpoint)]);
        let seen = self.observer.until(|scrape| total(scrape) == count);
        seen.expect(endpoint);
    }

    fn stop(self) -> String {
        let log = self.observer.stop().expect("stop").2;
        self.nginx.stop().expect("nginx's log");
        log
    }
}

/// Everything is the first of these endpoints.
fn rules<S: AsRef<str>>(endpoints: impl IntoIterator<Item = S>) -> String {
    let rule = |(n, endpoint): (usize, S)| {
        let endpoint = endpoint.as_ref();
        format!("[[rule]]\nid = 'r{n}'\nendpoint = '{endpoint}'\n")
    };
    endpoints.into_iter().enumerate().map(rule).collect()
}

#[test]
fn new_rules_hold_for_what_begins_and_old_series_stay() {
    let stage = Stage::new(18_241, "first");
    stage.ask();
    stage.counted("first", 1.0);
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, stage.port));
    let held = stage.netns.inside(|| client::ask(server, "/large"));
    let held = held.expect("inside").expect("ask");
    let in_flight =
        |scrape: &Scrape, of| scrape.sum("http_requests_in_flight", &[("endpoint", of)]);
    let begun = stage
        .observer
        .until(|scrape| in_flight(scrape, "first") == 1.0);
    let limit = |scrape: &Scrape| scrape.sum("pxe_observer_series_limit", &[]);
    let before = limit(&begun.expect("a download"));

    fs::write(stage.path("rules.toml"), rules(["second"])).expect("write");
    let scrape = stage.reload(true);
    assert!(limit(&scrape) > before, "new series have their room");
    assert_eq!(
        in_flight(&scrape, "first"),
        1.0,
        "what lives keeps its label"
    );
    stage.ask();
    stage.counted("second", 1.0);
    stage.counted("first", 1.0);
    drop(held);
    stage.counted("first", 2.0);
    stage.counted("second", 1.0);
    let log = stage.stop();
    assert!(
        log.contains("SIGHUP: the configuration is reloaded"),
        "{log}"
    );
}

#[test]
fn what_is_wrong_leaves_the_old_rules_and_says_why() {
    let stage = Stage::new(18_242, "first");
    let many = (0..31).map(|n| format!("e{n}"));
    for (file, text, says) in [
        (
            "rules.toml",
            "[[rule]]\nnonsense = 1".to_owned(),
            "rules.toml: line 2, column 1",
        ),
        (
            "rules.toml",
            rules(many),
            "33 endpoints, those before included",
        ),
        (
            "config.toml",
            "http_prot = [1]".to_owned(),
            "config.toml: line 1, column 1: unknown key",
        ),
    ] {
        let good = fs::read_to_string(stage.path(file)).expect("read");
        fs::write(stage.path(file), text).expect("write");
        let scrape = stage.reload(false);
        assert_eq!(
            scrape.series("http_requests_in_flight").count(),
            2,
            "first and other"
        );
        let health = client::get(stage.observer.address(), "/healthz?verbose").expect("health");
        let line = health
            .lines()
            .find(|line| line.contains("not reloaded, the old one stays"));
        assert!(
            line.is_some_and(|line| line.contains(says)),
            "{says}: {health}"
        );
        fs::write(stage.path(file), good).expect("write");
        stage.reload(true);
    }
    stage.ask();
    stage.counted("first", 1.0);
    let log = stage.stop();
    assert_eq!(
        log.matches("not reloaded, the old one stays").count(),
        3,
        "{log}"
    );
}

#[test]
fn what_only_a_restart_changes_is_named() {
    let stage = Stage::new(18_243, "first");
    let text = "http_port = [18244]\nmax_connections = 9\nrules = 'rules.toml'";
    fs::write(stage.path("config.toml"), text).expect("write");
    stage.reload(true);
    stage.ask();
    stage.counted("first", 1.0);
    let log = stage.stop();
    let says = "only a restart takes it over: http_port, max_connections";
    assert!(log.contains(says), "{log}");
}
