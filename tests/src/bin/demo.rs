//! Real boot traffic in a namespace of its own, and what the observer says of it, until
//! stopped: a newcomer sees numbers move.
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use tests::{
    netns::{Netns, link},
    nginx::Nginx,
    observer::Observer,
    scrape::Scrape,
};

const PORT: u16 = 8_080;
/// Between two looks at the metrics.
const LOOK: Duration = Duration::from_secs(2);

/// What is served: path and size.
const FILES: [(&str, usize); 5] = [
    ("/boot/52:54:00:00:00:01", 1_500),
    ("/boot/pxelinux.cfg/default", 400),
    ("/ipxe/hookos/vmlinuz-x86_64", 14 << 20),
    ("/ipxe/hookos/initramfs-x86_64", 40 << 20),
    ("/images/debian-13-amd64.raw", 200 << 20),
];

/// What each client does, over and over: path and bytes per second.
const BOOT: [(&str, &str); 6] = [
    ("/boot/pxelinux.cfg/default", "10M"),
    ("/boot/52:54:00:00:00:01", "10M"),
    ("/ipxe/hookos/vmlinuz-x86_64", "20M"),
    ("/ipxe/hookos/initramfs-x86_64", "20M"),
    ("/images/debian-13-amd64.raw", "25M"),
    ("/api/machines", "10M"),
];

/// Real boot traffic in a namespace of its own
#[derive(Parser)]
struct Args {
    /// Machines that boot over and over
    #[arg(long, default_value_t = 8)]
    clients: u64,
    /// Stop after so many seconds
    #[arg(long)]
    seconds: Option<u64>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    tests::require_root();
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("handle signals")?;
    }
    let (server, machines) = (Netns::new("server")?, Netns::new("machines")?);
    let address = link(&machines, &server, 1)?.far[0];
    let nginx = Nginx::start(&server, PORT, &FILES)?;
    let observer = Observer::start(&["--http-port", &PORT.to_string(), "--profile", "dragonfly"])?;
    println!(
        "nginx serves {} machines; metrics at http://{}/metrics",
        args.clients,
        observer.address()
    );

    let url = format!("http://{address}:{PORT}");
    let shown = thread::scope(|scope| {
        for number in 0..args.clients {
            let (machines, url, stop) = (&machines, &url, &stop);
            scope.spawn(move || boot_over_and_over(machines, url, number, stop));
        }
        let shown = show(&observer, &stop, args.seconds.map(Duration::from_secs));
        stop.store(true, Ordering::Relaxed);
        shown
    });
    nginx.stop()?;
    shown
}

fn boot_over_and_over(machines: &Netns, url: &str, number: u64, stop: &AtomicBool) -> Result<()> {
    // Each begins elsewhere in its boot.
    let steps = BOOT
        .iter()
        .cycle()
        .skip(usize::try_from(number)? % BOOT.len());
    for (path, rate) in steps {
        let mut curl = machines
            .command("curl")
            .args(["--silent", "--output", "/dev/null", "--limit-rate", rate])
            .arg(format!("{url}{path}"))
            .stdin(Stdio::null())
            .spawn()
            .context("start curl")?;
        while curl.try_wait()?.is_none() {
            if stop.load(Ordering::Relaxed) {
                curl.kill()?;
                curl.wait()?;
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

fn show(observer: &Observer, stop: &AtomicBool, length: Option<Duration>) -> Result<()> {
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) && length.is_none_or(|length| begun.elapsed() < length) {
        thread::sleep(LOOK.min(length.unwrap_or(LOOK)));
        if !stop.load(Ordering::Relaxed) {
            print(&observer.scrape()?);
        }
    }
    Ok(())
}

fn print(scrape: &Scrape) {
    println!(
        "\n{:<20}{:>10}{:>10}{:>12}",
        "endpoint", "in flight", "ended", "mean s"
    );
    for (labels, in_flight) in scrape.series("http_requests_in_flight") {
        let endpoint = labels.get("endpoint").map_or("", String::as_str);
        let of = |name| scrape.sum(name, &[("endpoint", endpoint)]);
        let (ended, sum) = (
            of("http_requests_total"),
            of("http_request_duration_seconds_sum"),
        );
        if in_flight > 0.0 || ended > 0.0 {
            let mean = if ended > 0.0 { sum / ended } else { 0.0 };
            println!("{endpoint:<20}{in_flight:>10}{ended:>10}{mean:>12.3}");
        }
    }
}
