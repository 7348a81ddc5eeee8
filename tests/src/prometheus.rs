//! A real Prometheus that scrapes the daemon, and `promtool`.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    client,
    process::{Process, run},
    scrape::Labels,
};

/// A state that takes longer is never reached.
const REACHED: Duration = Duration::from_secs(20);
/// Leaves the processor to those who are to reach it.
const BETWEEN_QUERIES: Duration = Duration::from_millis(100);

/// A running Prometheus, with a job for each target.
pub struct Prometheus {
    address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

/// A series and its value at an instant.
pub type Sample = (Labels, f64);

impl Prometheus {
    /// Starts it on a port; it scrapes each target once a second, as a job of that name.
    pub fn start(port: u16, targets: &[(&str, SocketAddr)]) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for Prometheus")?;
        let path = folder.path().join("prometheus.yml");
        fs::write(&path, config(targets))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let process = Process::start(
            Command::new("prometheus")
                .arg(format!("--config.file={}", path.display()))
                .arg(format!("--storage.tsdb.path={}", folder.path().display()))
                .arg(format!("--web.listen-address={address}"))
                .arg("--log.level=error")
                .stdin(Stdio::null()),
        )?;
        Ok(Self {
            address,
            _process: process,
            _folder: folder,
        })
    }

    /// What a query gives now.
    pub fn query(&self, query: &str) -> Result<Vec<Sample>> {
        let result = self.ask("query", &[("query", query)])?;
        let sample = |one: &Value| {
            let value = one["value"][1].as_str().context("a value")?;
            Ok((labels(&one["metric"]), value.parse()?))
        };
        result.iter().map(sample).collect()
    }

    /// The values of the only series that a query gives: a range selector.
    pub fn samples(&self, query: &str) -> Result<Vec<(f64, f64)>> {
        let result = self.ask("query", &[("query", query)])?;
        ensure!(result.len() == 1, "not one series: {result:?}");
        points(&result[0])
    }

    /// The only series that a query gives from one instant to another, each second.
    pub fn range(&self, query: &str, from: f64, until: f64) -> Result<Vec<(f64, f64)>> {
        let (from, until) = (from.to_string(), until.to_string());
        let of = [
            ("query", query),
            ("start", &from),
            ("end", &until),
            ("step", "1"),
        ];
        let result = self.ask("query_range", &of)?;
        ensure!(result.len() == 1, "not one series: {result:?}");
        points(&result[0])
    }

    /// Asks until the answer is what it has to be; an error says what it was last.
    pub fn until(&self, query: &str, reached: impl Fn(&[Sample]) -> bool) -> Result<Vec<Sample>> {
        let begun = Instant::now();
        loop {
            // It may not listen yet.
            let answer = self.query(query);
            if answer.as_ref().is_ok_and(|samples| reached(samples)) {
                return answer;
            }
            if begun.elapsed() > REACHED {
                bail!("{query} was never reached; it is {answer:#?}");
            }
            thread::sleep(BETWEEN_QUERIES);
        }
    }

    fn ask(&self, how: &str, of: &[(&str, &str)]) -> Result<Vec<Value>> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--get", "--max-time", "5"]);
        for (name, value) in of {
            curl.args(["--data-urlencode", &format!("{name}={value}")]);
        }
        let answer = run(curl.arg(format!("http://{}/api/v1/{how}", self.address)))?;
        let answer: Value = serde_json::from_str(&answer).with_context(|| answer.clone())?;
        let result = answer["data"]["result"].as_array();
        Ok(result.with_context(|| answer.to_string())?.clone())
    }
}

fn config(targets: &[(&str, SocketAddr)]) -> String {
    let mut config = "global: { scrape_interval: 1s }\nscrape_configs:\n".to_owned();
    for (job, target) in targets {
        config += &format!("- job_name: {job}\n  static_configs: [{{ targets: ['{target}'] }}]\n");
    }
    config
}

fn labels(metric: &Value) -> Labels {
    let pairs = metric.as_object().into_iter().flatten();
    let pair = |(name, value): (&String, &Value)| {
        let value = value.as_str().unwrap_or_default();
        (name.clone(), value.to_owned())
    };
    pairs.map(pair).collect()
}

fn points(series: &Value) -> Result<Vec<(f64, f64)>> {
    let values = series["values"].as_array().context("values")?;
    let point = |pair: &Value| {
        let at = pair[0].as_f64().context("an instant")?;
        let value = pair[1].as_str().context("a value")?;
        Ok((at, value.parse()?))
    };
    values.iter().map(point).collect()
}

/// Passes scrapes on without their `Accept`, as a scraper that takes what it is given: this
/// Prometheus always asks for OpenMetrics. It lives as long as the test.
pub fn without_accept(daemon: SocketAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for scraper in listener.incoming().flatten() {
            // Who is cut off scrapes again.
            let _ = pass_on(scraper, daemon);
        }
    });
    Ok(address)
}

fn pass_on(mut scraper: TcpStream, daemon: SocketAddr) -> Result<()> {
    client::prepare(&scraper)?;
    client::read_head(&mut std::io::BufReader::new(&mut scraper))?;
    let answer = client::get(daemon, "/metrics")?;
    scraper.write_all(answer.as_bytes()).context("pass on")
}

/// What `promtool check metrics` says of a text/plain exposition: nothing, if it is good.
pub fn check_metrics(text: &str) -> Result<String> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start promtool")?;
    let mut input = promtool.stdin.take().context("its input")?;
    input.write_all(text.as_bytes())?;
    drop(input);
    let mut said = String::new();
    let mut streams = (promtool.stdout.take(), promtool.stderr.take());
    if let (Some(out), Some(err)) = (&mut streams.0, &mut streams.1) {
        out.chain(err).read_to_string(&mut said)?;
    }
    let status = promtool.wait()?;
    ensure!(status.success() || !said.is_empty(), "promtool: {status}");
    Ok(said)
}
