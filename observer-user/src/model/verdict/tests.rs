//! What is said of a world that stands as it is, second by second.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use observer_common::{conn::Tuple, tftp::Peer};
use proptest::prelude::*;

use super::*;
use crate::model::{
    classify::{Class, Classifier, Proto, Subject},
    fact::{Asked, ExchangeId},
    http::Method,
    limiter::{Limited, Limiter},
    links::{Counted, Interface, Links, Queue},
    processes::{Process, Serves, Threads},
    queues::Queues,
    sockets::{Listener, Sample, UdpSocket},
    tftp::Operation,
    track::{Step, UnderWay},
};

const SECOND: u64 = 1_000_000_000;
const PORT: u16 = 80;
const PID: u32 = 7;

/// All that the verdict sees.
struct World {
    verdict: Verdict,
    now_ns: u64,
    exchanges: Vec<UnderWay>,
    transfers: Vec<(tftp::fact::Asked, bool)>,
    facts: Vec<Fact>,
    blocks: Vec<tftp::Fact>,
    queues: Queues,
    links: Links,
    retransmits: u64,
    udp_drops: u64,
    processes: Vec<Process>,
    owners: BTreeMap<Serves, BTreeSet<u32>>,
}

impl World {
    fn new() -> Self {
        let names = CLASSIFIER.endpoints().to_vec();
        Self {
            verdict: Verdict::new(&names, Thresholds::default()),
            now_ns: 100 * SECOND,
            exchanges: Vec::new(),
            transfers: Vec::new(),
            facts: Vec::new(),
            blocks: Vec::new(),
            queues: Queues::new(&[PORT], &[69], true),
            links: Links::default(),
            retransmits: 0,
            udp_drops: 0,
            processes: Vec::new(),
            owners: BTreeMap::new(),
        }
    }

    /// A second goes by, in which each fact happens again; what is said then.
    fn pass(&mut self) -> Vec<&'static str> {
        self.now_ns += SECOND;
        self.facts
            .iter()
            .for_each(|fact| self.verdict.on_fact(fact));
        self.blocks
            .iter()
            .for_each(|fact| self.verdict.on_transfer(fact));
        self.verdict.look(Scene {
            now_ns: self.now_ns,
            exchanges: Box::new(self.exchanges.iter().copied()),
            transfers: Box::new(self.transfers.iter().map(|(asked, waits)| (asked, *waits))),
            queues: &self.queues,
            links: &self.links,
            retransmits: Box::new([(PORT, self.retransmits)].into_iter()),
            udp_drops: Box::new([(69, self.udp_drops)].into_iter()),
            processes: &self.processes,
            owners: &self.owners,
        });
        let findings = self.verdict.findings();
        findings.map(|(finding, _)| finding.cause.name()).collect()
    }

    /// The same for so long; what is said in the end.
    fn last(&mut self, seconds: u32) -> Vec<&'static str> {
        (0..seconds).map(|_| self.pass()).last().unwrap_or_default()
    }

    fn says(&self) -> String {
        let says = self
            .verdict
            .findings()
            .map(|(finding, _)| finding.says.clone());
        says.collect::<Vec<_>>().join("; ")
    }

    /// So many exchanges of a path, for so many seconds by the next look.
    fn exchanges(&mut self, count: usize, path: &str, pid: Option<u32>, step: Step, age: u64) {
        let exchange = UnderWay {
            asked: asked(path),
            pid,
            step,
            since_ns: self.now_ns + SECOND - age * SECOND,
        };
        self.exchanges.extend(vec![exchange; count]);
    }

    fn process(&mut self, pid: u32, comm: &str, state: char) {
        let mut threads = Threads::default();
        threads.add(state);
        self.processes.push(Process {
            pid,
            comm: comm.to_owned(),
            threads,
            ..Process::default()
        });
    }

    fn listener(&mut self, queue: u32, limit: u32, drops: u32) {
        let listener = Listener {
            port: PORT,
            queue,
            limit,
            drops,
            cookie: 1,
            inode: 1,
        };
        let udp = UdpSocket {
            port: 69,
            queue_bytes: 0,
            drops: 0,
            cookie: 2,
            inode: 2,
        };
        self.queues.on_sample(&Sample {
            wanted: self.queues.wanted(),
            listeners: Some(vec![listener]),
            udp: Some(vec![udp]),
            ..Sample::default()
        });
    }

    fn transfers(&mut self, count: usize, waits: bool, age: u64) {
        let asked = tftp_asked(self.now_ns - age * SECOND);
        self.transfers.extend(vec![(asked, waits); count]);
    }

    /// So many answers of a path, each sent at this rate, wait for this.
    fn sending(&mut self, count: u32, path: &str, limiter: Limiter, rate: u64) {
        let asked = asked(path);
        self.exchanges(count as usize, path, None, Step::Transferring, 1);
        for _ in 0..count {
            let limited = Limited::of(limiter, SECOND);
            let id = ExchangeId { cookie: 1, turn: 1 };
            self.facts.push(Fact::Limited { asked, limited });
            self.facts.push(Fact::Moved {
                id,
                asked,
                request_bytes: 0,
                response_bytes: rate,
            });
        }
    }

    fn link(&mut self, sent: u64, drops: u32, backlog: u32, speed: Option<u64>) {
        let queue = Some(Queue {
            handle: 1,
            drops,
            backlog,
        });
        let counted = Counted {
            sent,
            queue,
            ..Counted::default()
        };
        let name = "eth0".to_owned();
        self.links.on_sample(&[Interface {
            namespace: 0,
            index: 2,
            name,
            counted,
            speed,
        }]);
    }
}

/// Compiling one takes long.
static CLASSIFIER: LazyLock<Classifier> = LazyLock::new(Classifier::dragonfly);

fn class(proto: Proto, path: &str) -> Class {
    let access = crate::model::classify::Access::Read;
    CLASSIFIER.classify(Subject {
        proto,
        access,
        target: path.as_bytes(),
    })
}

fn asked(path: &str) -> Asked {
    Asked {
        tuple: Tuple {
            server_port: PORT,
            ..Tuple::default()
        },
        method: Method::Get,
        class: class(Proto::Http, path),
        begun_ns: 0,
        line_ns: 0,
    }
}

fn tftp_asked(begun_ns: u64) -> tftp::fact::Asked {
    tftp::fact::Asked {
        peer: Peer::default(),
        operation: Operation::Read,
        class: class(Proto::Tftp, "undionly.kpxe"),
        begun_ns,
    }
}

const SCRIPT: &str = "/boot/52:54:00:00:00:01";
const IMAGE: &str = "/images/debian-13-amd64.raw";

fn nothing() -> Vec<&'static str> {
    Vec::new()
}

#[test]
fn nothing_starves_where_nothing_happens_or_all_goes_well() {
    let mut world = World::new();
    assert_eq!(world.last(10), nothing());
    world.listener(0, 511, 0);
    world.process(PID, "nginx", 'S');
    world.exchanges(50, SCRIPT, Some(PID), Step::Handling, 0);
    // Fast clients whose windows close all the time, as firmware's do.
    world.sending(50, IMAGE, Limiter::ClientWindow, 20_000_000);
    for _ in 0..10 {
        world
            .exchanges
            .iter_mut()
            .for_each(|one| one.since_ns = world.now_ns + SECOND);
        assert_eq!(world.pass(), nothing(), "{}", world.says());
    }
}

#[test]
fn others_wait_while_each_worker_has_one() {
    let mut world = World::new();
    world.process(PID, "python3", 'S');
    world.exchanges(1, IMAGE, Some(PID), Step::Handling, 2);
    world.exchanges(50, SCRIPT, None, Step::Waiting, 5);
    assert_eq!(world.last(3), nothing());
    assert_eq!(world.last(3), ["workers_busy"]);
    let says = world.says();
    let script = world.verdict.names[class(Proto::Http, SCRIPT).endpoint.index()].clone();
    let image = world.verdict.names[class(Proto::Http, IMAGE).endpoint.index()].clone();
    let expected = format!(
        "{script} waits 10.0 s p99 because {image} holds all 1 worker of port 80 (python3)"
    );
    assert_eq!(says, expected);
    // It is over once nobody waits, and said for some seconds more.
    world.exchanges.clear();
    assert_eq!(world.last(3), ["workers_busy"]);
    assert_eq!(world.last(2), nothing());
    let seconds: f64 = world.verdict.seconds().map(|(_, seconds)| seconds).sum();
    assert!((6.0..9.0).contains(&seconds), "{seconds}");
}

#[test]
fn a_server_with_many_exchanges_a_process_has_no_workers() {
    let mut world = World::new();
    world.process(PID, "nginx", 'S');
    world.exchanges(4, IMAGE, Some(PID), Step::Transferring, 2);
    world.exchanges(50, SCRIPT, None, Step::Waiting, 5);
    world.listener(50, 511, 0);
    assert_eq!(world.last(6), ["accept_queue"]);
    assert!(
        world.says().contains("wait to be accepted at port 80"),
        "{}",
        world.says()
    );
}

#[test]
fn who_dribbles_his_request_waits_for_nobody_but_himself() {
    let mut world = World::new();
    world.listener(1, 511, 0);
    world.exchanges(20, SCRIPT, None, Step::Arriving, 5);
    assert_eq!(world.last(8), nothing());
}

#[test]
fn one_that_had_two_a_moment_ago_is_no_worker() {
    let mut world = World::new();
    world.process(PID, "nginx", 'S');
    world.listener(50, 511, 0);
    for second in 0..10 {
        world.exchanges.clear();
        world.exchanges(1 + second % 2, IMAGE, Some(PID), Step::Handling, 0);
        world.exchanges(50, SCRIPT, None, Step::Waiting, 5);
        assert!(!world.pass().contains(&"workers_busy"), "{second}");
    }
}

#[test]
fn processes_say_what_they_do() {
    for (state, cause) in [
        ('T', "server_stopped"),
        ('D', "server_disk"),
        ('S', "workers_busy"),
    ] {
        let mut world = World::new();
        world.process(PID, "nginx", state);
        world.exchanges(1, IMAGE, Some(PID), Step::Handling, 2);
        world.exchanges(50, SCRIPT, None, Step::Waiting, 5);
        world.listener(50, 10, 30);
        assert_eq!(world.last(8), [cause], "{state}");
    }
}

#[test]
fn a_stopped_server_that_took_nothing_up_is_known_by_its_socket() {
    let mut world = World::new();
    world.process(PID, "nginx", 'T');
    world
        .owners
        .insert(Serves::Tcp(PORT), BTreeSet::from([PID]));
    world.exchanges(9, SCRIPT, None, Step::Waiting, 5);
    assert_eq!(world.last(6), ["server_stopped"]);
    let expected = "nginx at port 80 is stopped, by a signal or a debugger: 9 requests wait";
    assert!(world.says().starts_with(expected), "{}", world.says());
    let mut world = World::new();
    world.process(PID, "dnsmasq", 'T');
    world.owners.insert(Serves::Udp(69), BTreeSet::from([PID]));
    world.transfers(6, false, 2);
    world.transfers(9, true, 5);
    assert_eq!(world.last(6), ["server_stopped"]);
    assert!(
        world
            .says()
            .starts_with("dnsmasq, which serves TFTP, is stopped"),
        "{}",
        world.says()
    );
}

#[test]
fn a_server_that_is_gone_is_down() {
    let mut world = World::new();
    world.listener(0, 511, 0);
    assert_eq!(world.last(6), nothing());
    world.queues.on_sample(&Sample {
        wanted: world.queues.wanted(),
        listeners: Some(Vec::new()),
        ..Sample::default()
    });
    assert_eq!(world.last(6), ["server_down"]);
    world.listener(0, 511, 0);
    assert_eq!(world.last(6), nothing());
}

#[test]
fn a_queue_is_too_short_if_it_is_full() {
    for (queue, limit, expected) in [(5, 4, vec!["accept_queue"]), (4, 4, vec![]), (0, 4, vec![])] {
        let mut world = World::new();
        let mut said = Vec::new();
        for second in 0..8 {
            world.listener(queue, limit, 40 * second);
            said = world.pass();
        }
        assert_eq!(said, expected, "{queue} of {limit}");
    }
}

#[test]
fn a_handler_is_slow_if_several_wait_for_it() {
    for (count, age, expected) in [
        (30, 2, vec!["handler_slow"]),
        (2, 2, vec![]),
        (30, 0, vec![]),
    ] {
        let mut world = World::new();
        world.process(PID, "axum", 'S');
        let mut said = Vec::new();
        for _ in 0..6 {
            world.exchanges.clear();
            world.exchanges(count, SCRIPT, Some(PID), Step::Handling, age);
            said = world.pass();
        }
        assert_eq!(said, expected, "{count} for {age} s");
    }
}

#[test]
fn who_holds_up_the_sending_is_named() {
    for (count, limiter, rate, expected) in [
        (20, Limiter::ClientWindow, 100_000, vec!["client_slow"]),
        (20, Limiter::ClientWindow, 5_000_000, vec![]),
        (2, Limiter::ClientWindow, 100_000, vec![]),
        (20, Limiter::Server, 100_000, vec!["handler_slow"]),
        (20, Limiter::Path, 100_000, vec![]),
    ] {
        let mut world = World::new();
        world.sending(count, IMAGE, limiter, rate);
        assert_eq!(world.last(6), expected, "{count} {limiter:?} {rate}");
    }
}

#[test]
fn a_link_is_full_if_its_queue_is_or_it_carries_all_it_can() {
    let speed = Some(6_250_000);
    for (what, sent, drops, backlog, speed, expected) in [
        ("drops", 6_000_000, 100, 0, None, vec!["link_full"]),
        (
            "a queue that is never empty",
            6_000_000,
            0,
            30_000,
            None,
            vec!["link_full"],
        ),
        ("its speed", 6_000_000, 0, 0, speed, vec!["link_full"]),
        ("half its speed", 3_000_000, 0, 0, speed, vec![]),
        ("not known", 6_000_000, 0, 0, None, vec![]),
    ] {
        let mut world = World::new();
        // The losses of a full link are its own.
        world.sending(20, IMAGE, Limiter::Path, 300_000);
        let mut said = Vec::new();
        for second in 1..=8 {
            world.link(
                second * sent,
                u32::try_from(second).expect("small") * drops,
                backlog,
                speed,
            );
            world.retransmits += if expected.is_empty() { 0 } else { 400 };
            said = world.pass();
        }
        assert_eq!(said, expected, "{what}: {}", world.says());
    }
}

#[test]
fn segments_get_lost_if_that_lasts_and_somebody_waits_for_it() {
    let mut world = World::new();
    world.sending(20, IMAGE, Limiter::Path, 1_000_000);
    // Of 14,000 segments a second: one burst is none.
    for (second, again) in [0, 5_000, 0, 0, 0, 0, 0, 0].into_iter().enumerate() {
        world.retransmits += again;
        assert_eq!(world.pass(), nothing(), "{second}");
    }
    for _ in 0..8 {
        world.retransmits += 400;
        world.pass();
    }
    assert_eq!(world.pass(), ["network_loss"]);
    assert!(
        world.says().contains("port 80 are sent again"),
        "{}",
        world.says()
    );
}

#[test]
fn tftp_requests_wait_while_a_server_is_at_its_limit() {
    for (running, waiting, expected) in [
        (50, 9, vec!["tftp_admission"]),
        (50, 0, vec![]),
        (2, 9, vec![]),
    ] {
        let mut world = World::new();
        world.process(PID, "dnsmasq", 'S');
        world.owners.insert(Serves::Udp(69), BTreeSet::from([PID]));
        world.transfers(running, false, 3);
        world.transfers(waiting, true, 3);
        assert_eq!(world.last(6), expected, "{running} run, {waiting} wait");
        if let [_] = expected[..] {
            assert!(
                world.says().ends_with("raise --tftp-max (50 by default)"),
                "{}",
                world.says()
            );
            // It has an explanation.
            for _ in 0..12 {
                world.udp_drops += 200;
                world.pass();
            }
            assert_eq!(world.pass(), ["udp_drops"]);
        }
    }
}

#[test]
fn tftp_blocks_get_lost_unless_their_clients_are_gone() {
    for (blocks, retransmits, expected) in [
        (1_000, 30, vec!["tftp_loss"]),
        (1_000, 3, vec![]),
        (0, 30, vec![]),
    ] {
        let mut world = World::new();
        world.transfers(20, false, 3);
        world.blocks.push(tftp::Fact::Moved {
            asked: tftp_asked(0),
            sent: 0,
            received: 0,
            blocks,
            retransmits,
        });
        assert_eq!(world.last(8), expected, "{retransmits} of {blocks}");
    }
}

fn exchange() -> impl Strategy<Value = UnderWay> {
    let step = prop::sample::select(vec![Step::Waiting, Step::Handling, Step::Transferring]);
    (0..4_u16, 0..4_u32, step, 0..200 * SECOND).prop_map(|(port, pid, step, since_ns)| UnderWay {
        asked: Asked {
            tuple: Tuple {
                server_port: port,
                ..Tuple::default()
            },
            ..asked(SCRIPT)
        },
        pid: (pid != 0).then_some(pid),
        step,
        since_ns,
    })
}

proptest! {
    /// Whatever is seen: what is said is little, and can be told.
    #[test]
    fn any_world_can_be_told(
        seconds in prop::collection::vec(prop::collection::vec(exchange(), 0..30), 1..12),
        states in prop::collection::vec(prop::sample::select(vec!['R', 'S', 'D', 'T']), 3),
        numbers in prop::collection::vec(any::<u32>(), 12),
    ) {
        let mut world = World::new();
        for (pid, state) in (1..).zip(states) {
            world.process(pid, "\u{1b}[31mserver", state);
        }
        let mut numbers = numbers.into_iter().cycle();
        let mut number = || numbers.next().unwrap_or(0);
        for exchanges in seconds {
            world.exchanges = exchanges;
            world.listener(number(), number(), number());
            world.link(number().into(), number(), number(), Some(number().into()));
            world.retransmits += u64::from(number());
            world.udp_drops += u64::from(number());
            let said = world.pass();
            prop_assert!(said.len() <= Cause::ALL.len());
            for (finding, _) in world.verdict.findings() {
                prop_assert!(finding.says.len() < 400, "{}", finding.says);
                prop_assert!(finding.evidence.iter().all(|(_, value)| value.is_finite()));
            }
        }
    }
}
