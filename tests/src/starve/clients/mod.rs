//! Machines that boot over and over, on one thread.

mod http;
mod storm;
mod tftp;

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::boot::Step;

/// How the machines behave; it may change at any time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weather {
    /// Bytes a second at which each reads the OS image, through as small a window as there is.
    pub(super) os_speed: Option<u64>,
    /// Before each acknowledgement of a TFTP block.
    pub(super) tftp_pause: Duration,
    /// Each looks for configurations that are not there, many at once.
    pub(super) storm: bool,
    /// They end their boots, and begin none.
    pub(super) is_over: bool,
}

/// What became of one step of one boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) step: Step,
    pub(super) begun: Instant,
    /// To the first byte of the answer that was whole in the end.
    pub(super) first: Duration,
    /// With all tries.
    pub(super) whole: Duration,
    pub(super) tries: u32,
    /// From where it was asked for in the end.
    pub(super) port: u16,
    /// From asking, with the connection there, to the first byte.
    pub(super) wait: Duration,
}

/// One answer that was whole.
struct Answered {
    port: u16,
    asked: Instant,
    first: Instant,
}

/// What is known of a crowd in the end.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) steps: Vec<Record>,
    /// Machines that did not end their last boot.
    pub(super) unfinished: usize,
}

/// So many machines.
#[derive(Clone)]
pub(super) struct Crowd {
    pub(super) machines: usize,
    pub(super) http: SocketAddr,
    pub(super) tftp: SocketAddr,
    pub(super) weather: watch::Receiver<Weather>,
}

/// The least time from one boot of a machine to its next.
const PERIOD: Duration = Duration::from_secs(4);
/// Boots that all machines begin in a second, at most.
const RATE: f64 = 40.0;
/// Between two tries of what failed.
const RETRY: Duration = Duration::from_millis(500);
/// What is not over by then is left.
const PATIENCE: Duration = Duration::from_secs(10);

impl Crowd {
    /// Boots in the thread's namespace until it is over.
    pub(super) fn run(self) -> Result<Records> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("a runtime for machines")?;
        Ok(runtime.block_on(self.boot_all()))
    }

    async fn boot_all(mut self) -> Records {
        let steps = Arc::new(Mutex::new(Vec::new()));
        let mut machines = JoinSet::new();
        for number in 0..self.machines {
            let machine = Machine {
                number,
                crowd: self.clone(),
                records: Arc::clone(&steps),
            };
            machines.spawn(machine.live());
            machines.spawn(storm::look_for_configurations(self.clone()));
        }
        // Whoever changes the weather outlives it.
        let _ = self.weather.wait_for(|weather| weather.is_over).await;
        let all = async { while machines.join_next().await.is_some() {} };
        let _ = timeout(PATIENCE, all).await;
        let steps = std::mem::take(&mut *steps.lock().unwrap_or_else(PoisonError::into_inner));
        Records {
            steps,
            unfinished: machines.len(),
        }
    }

    fn period(&self) -> Duration {
        PERIOD.max(Duration::from_secs_f64(self.machines as f64 / RATE))
    }

    /// Waits for so long, or until it is over; says which of the two.
    async fn is_over_within(&mut self, time: Duration) -> bool {
        let over = self.weather.wait_for(|weather| weather.is_over);
        timeout(time, over).await.is_ok()
    }
}

struct Machine {
    number: usize,
    crowd: Crowd,
    records: Arc<Mutex<Vec<Record>>>,
}

impl Machine {
    async fn live(mut self) {
        let period = self.crowd.period();
        let mut pause = period.mul_f64(self.number as f64 / self.crowd.machines as f64);
        while !self.crowd.is_over_within(pause).await {
            let begun = Instant::now();
            self.boot().await;
            pause = period.saturating_sub(begun.elapsed());
        }
    }

    async fn boot(&self) {
        for step in Step::ALL.into_iter().filter(|step| step.is_of(self.number)) {
            let crowd = &self.crowd;
            let record = match step {
                Step::Nbp => until_done(step, || tftp::fetch(crowd)).await,
                Step::Script
                | Step::Kernel
                | Step::Initrd
                | Step::Image
                | Step::Os
                | Step::Report => until_done(step, || http::fetch(crowd, step)).await,
            };
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            records.push(record);
        }
    }
}

/// Tries until it succeeds, as firmware does.
async fn until_done<T: Future<Output = io::Result<Answered>>>(
    step: Step,
    attempt: impl Fn() -> T,
) -> Record {
    let begun = Instant::now();
    let mut tries = 0;
    loop {
        tries += 1;
        if let Ok(answered) = attempt().await {
            return Record {
                step,
                begun,
                first: answered.first - begun,
                whole: begun.elapsed(),
                tries,
                port: answered.port,
                wait: answered.first - answered.asked,
            };
        }
        sleep(RETRY).await;
    }
}
