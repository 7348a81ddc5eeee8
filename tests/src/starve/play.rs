//! A scenario, from its beginning to its end.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::sync::watch;

use super::{
    Report, Scenario,
    clients::{Crowd, Record, Records, Weather},
    heard::{Ear, Heard},
    inject::{inject, remove},
    phase::Phase,
    sample::Sample,
    world::World,
};
use crate::netns::Netns;

/// They share ports.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
const SECOND: Duration = Duration::from_secs(1);
/// How long nothing is wrong at first, in looks.
const BEFORE: usize = 6;
/// The cause is there for so many looks at least, and at most.
const DURING: (usize, usize) = (8, 15);
/// And is gone for so many.
const AFTER: (usize, usize) = (5, 20);
/// What is under way comes to its end by then, once nobody boots any more.
const SETTLED: usize = 10;
/// What is then 0.
const PASSING: [&str; 5] = [
    "http_requests_in_flight",
    "http_requests_waiting",
    "http_transfers_stalled",
    "tftp_requests_waiting",
    "tftp_transfers_in_flight",
];

/// All that was seen of a scenario.
pub(super) struct Seen {
    pub(super) scenario: Scenario,
    pub(super) machines: usize,
    pub(super) samples: Vec<Sample>,
    pub(super) onset: Instant,
    pub(super) end: Instant,
    pub(super) records: Records,
    pub(super) heard: Heard,
    /// Once nobody boots any more.
    pub(super) last: Sample,
}

impl Seen {
    /// In which a machine's step was begun.
    pub(super) fn phase_of(&self, record: &Record) -> Phase {
        if record.begun < self.onset {
            Phase::Before
        } else if record.begun < self.end {
            Phase::During
        } else {
            Phase::After
        }
    }
}

/// Has so many machines boot, with a cause for some time; tells what was said and seen. Once it is
/// to stop, it is an error.
pub fn play(scenario: Scenario, machines: usize, stop: &AtomicBool) -> Result<Report> {
    crate::require_root();
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let afar = Netns::new("machines")?;
    let mut world = World::new(scenario, &afar, machines)?;
    let ear = Ear::new(world.observer.live_socket()?)?;
    let (weather, receiver) = watch::channel(Weather::default());
    let crowd = Crowd {
        machines,
        http: world.http(),
        tftp: world.tftp(),
        weather: receiver,
    };
    let (watched, records) = thread::scope(|scope| {
        let booting = scope.spawn(|| afar.inside(|| crowd.run()));
        let watch = Watch {
            world: &mut world,
            machines: &afar,
            weather: &weather,
            stop,
            samples: Vec::new(),
        };
        let watched = watch.all(scenario);
        // However it went, or nobody would ever end.
        weather.send_modify(|weather| weather.is_over = true);
        let records = booting.join();
        let records = records.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (watched, records)
    });
    let (onset, end, samples) = watched?;
    let seen = Seen {
        scenario,
        machines,
        samples,
        onset,
        end,
        records: records??,
        last: settle(&world)?,
        heard: ear.close()?,
    };
    world.observer.stop()?;
    Report::of(&seen)
}

/// Who looks while they boot.
struct Watch<'a> {
    world: &'a mut World,
    machines: &'a Netns,
    weather: &'a watch::Sender<Weather>,
    stop: &'a AtomicBool,
    samples: Vec<Sample>,
}

impl Watch<'_> {
    /// Looks each second, and has the cause for some of the time; says when.
    fn all(mut self, scenario: Scenario) -> Result<(Instant, Instant, Vec<Sample>)> {
        self.look(Phase::Before, (BEFORE, BEFORE), |_| true)?;
        let onset = Instant::now();
        let injected = inject(scenario, self.world, self.machines, self.weather)?;
        let cause = scenario.cause();
        let is_said = |sample: &Sample| cause.is_none_or(|cause| sample.said.contains(cause));
        let looked = self.look(Phase::During, DURING, is_said);
        let end = Instant::now();
        // Whatever was seen: nobody else lets go of a server that is stopped.
        remove(injected, self.world, self.machines, self.weather)?;
        looked?;
        self.look(Phase::After, AFTER, |sample| sample.said.is_empty())?;
        Ok((onset, end, self.samples))
    }

    /// A look each second, the fewest of them, and then until this is seen, or the most.
    fn look(
        &mut self,
        phase: Phase,
        (fewest, most): (usize, usize),
        is_seen: impl Fn(&Sample) -> bool,
    ) -> Result<()> {
        for number in 1..=most {
            thread::sleep(SECOND);
            ensure!(!self.stop.load(Ordering::Relaxed), "stopped");
            let sample = Sample::take(self.world, phase)?;
            let is_enough = number >= fewest && is_seen(&sample);
            self.samples.push(sample);
            if is_enough {
                break;
            }
        }
        Ok(())
    }
}

/// Looks until nothing is under way any more, or for long enough.
fn settle(world: &World) -> Result<Sample> {
    let mut sample = Sample::take(world, Phase::After)?;
    for _ in 0..SETTLED {
        if left_over(&sample).is_empty() {
            break;
        }
        thread::sleep(SECOND);
        sample = Sample::take(world, Phase::After)?;
    }
    Ok(sample)
}

/// What ought to be 0 in the end, and is not.
pub(super) fn left_over(sample: &Sample) -> Vec<(&'static str, f64)> {
    let left = PASSING.map(|family| (family, sample.sum(family)));
    left.into_iter()
        .filter(|(_, value)| *value != 0.0)
        .collect()
}
