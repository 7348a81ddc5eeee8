//! What is on the screen, and what keys do to it. `BLESS=1 cargo test top` writes the golden
//! screens anew.

use std::{env, fs, net::IpAddr, time::Duration};

use proptest::prelude::*;
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};
use unicode_width::UnicodeWidthStr as _;

use super::{
    key::Key,
    list,
    news::News,
    screen,
    state::{Action, State, View},
};
use crate::live::message::{
    Count, Ended, Endpoint, Finding, Link, Listener, Phases, Probe, Quantiles, ROWS, Recent, Row,
    Server, Snapshot, Table, UdpQueue,
};

const SIZES: [(u16, u16); 3] = [(20, 8), (80, 24), (200, 60)];

fn row(number: u32) -> Row {
    let [.., c, d] = number.to_be_bytes();
    let is_http = !number.is_multiple_of(3);
    let bytes = u64::from(number % 97) * 10_000_000;
    Row {
        id: format!("{number:x}"),
        protocol: if is_http { "http" } else { "tftp" }.into(),
        client: IpAddr::from([10, 0, c, d]),
        client_port: 40_000,
        server_port: is_http.then_some(80),
        endpoint: if is_http { "image" } else { "kernel" }.to_owned(),
        stage: "image".into(),
        method: "GET".into(),
        path: format!("/images/{number}.raw"),
        path_cut: number.is_multiple_of(5),
        status: is_http.then_some(200),
        began_s: 1_000.0,
        age_s: f64::from(number) + 0.5,
        phase: "transferring".into(),
        phases: Phases {
            queue_s: Some(0.001),
            receive_s: 0.002,
            handle_s: 0.25,
            transfer_s: Some(f64::from(number)),
        },
        bytes,
        total: is_http.then_some(1_000_000_000),
        rate: Some(12_000_000.0),
        limiter: is_http.then(|| "path".into()),
        retransmits: (!is_http).then_some(3),
        stalled_by: number.is_multiple_of(7).then(|| "client_window".into()),
        pid: Some(812),
    }
}

fn ended(number: u64, path: &str) -> Ended {
    Ended {
        number,
        at_s: 1_000.25,
        protocol: "http".into(),
        client: IpAddr::from([10, 0, 0, 9]),
        client_port: 40_000,
        endpoint: "boot_script".to_owned(),
        stage: "boot_script".into(),
        method: "GET".into(),
        path: path.to_owned(),
        path_cut: false,
        status: Some(if number.is_multiple_of(2) { 200 } else { 503 }),
        outcome: "complete".into(),
        failed: !number.is_multiple_of(2),
        duration_s: 0.0123,
        phases: Phases::default(),
        bytes: 4_567,
        retransmits: None,
    }
}

fn snapshot(rows: u32) -> Snapshot {
    let quantiles = Quantiles {
        count: 9,
        p50_s: 0.01,
        p95_s: 1.25,
        p99_s: 90.0,
    };
    Snapshot {
        at_s: 1_010.0,
        uptime_s: 7_380.0,
        healthy: true,
        findings: vec![Finding {
            cause: "listen_queue".to_owned(),
            endpoint: Some("image".to_owned()),
            says: "port 80 does not accept as fast as clients come".to_owned(),
            evidence: vec![("length".to_owned(), 129.0), ("limit".to_owned(), 128.0)],
            since_s: 12.4,
        }],
        endpoints: ["image", "kernel", "unused"]
            .into_iter()
            .map(|name| Endpoint {
                protocol: if name == "kernel" { "tftp" } else { "http" }.into(),
                endpoint: name.to_owned(),
                in_flight: if name == "unused" { 0 } else { rows.into() },
                stalled: u64::from(name == "image"),
                bytes: if name == "unused" { 0 } else { 123_456_789 },
                duration: (name == "image").then_some(quantiles),
                ..Endpoint::default()
            })
            .collect(),
        listeners: vec![Listener {
            port: "80".to_owned(),
            up: true,
            length: 129,
            limit: 128,
            drops: 7,
        }],
        udp_queues: vec![UdpQueue {
            port: 69,
            up: false,
            bytes: 0,
            drops: 1,
        }],
        links: vec![Link {
            name: "eth0".to_owned(),
            speed: Some(125_000_000),
            ..Link::default()
        }],
        rows: (1..=rows).map(row).collect(),
        rows_left_out: if rows > 9_999 { 321 } else { 0 },
        servers: vec![Server {
            pid: 812,
            comm: "nginx".to_owned(),
            port: 80,
            exchanges: 12,
            blocked: 2,
            cpu_share: 0.5,
            ..Server::default()
        }],
        probes: vec![Probe {
            hook: "ingress".into(),
            attached: true,
            runs: Some(12_345),
            run_s: Some(0.5),
        }],
        tables: vec![Table {
            table: "conns".into(),
            entries: 95,
            limit: 100,
        }],
        losses: vec![Count {
            name: "swept".into(),
            count: 3,
        }],
        ..Snapshot::default()
    }
}

fn state(snapshot: Option<Snapshot>, paths: &[&str]) -> State {
    let mut state = State::new(1_000, true);
    if let Some(snapshot) = snapshot {
        state.on_news(News::Snapshot(Box::new(snapshot)));
    }
    let ended = (1..).zip(paths).map(|(number, path)| ended(number, path));
    let recent = Recent {
        ended: ended.collect(),
        ..Recent::default()
    };
    let is_all = true;
    state.on_news(News::Ended { recent, is_all });
    state
}

/// Names that others chose to do harm, or that are just wide.
const HOSTILE: [&str; 8] = [
    "/\x1b[2J\x1b]0;owned\x07",
    "/a\r\nb\tc\0d",
    "/\u{9b}31m\u{202e}gnp.exe",
    "/中文路径/内核.img",
    "/e\u{301}\u{301}\u{301}\u{301}te\u{308}",
    "/\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}/\u{1f44d}\u{1f3fd}",
    "/\u{fffd}\u{fffd}\u{feff}\u{200b}x",
    "/../../../../../../../../../../../../../../../../../../../../../../etc/passwd",
];

fn hostile() -> State {
    let mut shown = snapshot(8);
    for (row, path) in shown.rows.iter_mut().zip(HOSTILE) {
        path.clone_into(&mut row.path);
    }
    shown.findings[0].says = HOSTILE.concat();
    shown.servers[0].comm = HOSTILE[0].to_owned();
    shown.links[0].name = HOSTILE[1].to_owned();
    let mut state = state(Some(shown), &HOSTILE);
    state.filter.typed = HOSTILE[0].to_owned();
    state
}

fn disconnected() -> State {
    let mut state = state(Some(snapshot(3)), &["/a", "/b"]);
    state.tick(Duration::from_secs(75));
    state.on_news(News::Lost(
        "no observer at /run/x: start `pxe-observer run`".to_owned(),
    ));
    state
}

fn drawn(state: &State, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal
        .draw(|frame| screen::view(state, frame))
        .expect("drawn");
    terminal.backend().buffer().clone()
}

/// Lines of a screen: a wide character covers the cell behind it.
fn text(buffer: &Buffer) -> String {
    let width = buffer.area.width.into();
    let mut text = String::new();
    for line in buffer.content.chunks(width) {
        let mut covered = 0_usize;
        let mut said = String::new();
        for cell in line {
            if covered == 0 {
                said += cell.symbol();
                covered = cell.symbol().width().saturating_sub(1);
            } else {
                covered -= 1;
            }
        }
        text = text + said.trim_end() + "\n";
    }
    text
}

fn check(name: &str, mut state: State, detail: bool) {
    for size @ (width, height) in SIZES {
        let mut screens = String::new();
        for view in View::ALL {
            (state.view, state.detail) = (view, detail && view != View::Probes);
            screens += &format!("=== {}\n{}", view.name(), text(&drawn(&state, size)));
        }
        let path = format!(
            "{}/src/top/golden/{name}-{width}x{height}.txt",
            env!("CARGO_MANIFEST_DIR")
        );
        if env::var_os("BLESS").is_some() {
            fs::write(&path, &screens).expect("write");
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            golden == screens,
            "{path} differs: look at what `BLESS=1 cargo test top` makes of it"
        );
    }
}

#[test]
fn nothing_yet() {
    check("empty", state(None, &[]), false);
}

#[test]
fn an_ordinary_morning() {
    let state = state(Some(snapshot(12)), &["/boot.ipxe", "/menu?mac=1"]);
    check("ordinary", state, true);
}

#[test]
fn ten_thousand_at_once() {
    check(
        "crowd",
        state(Some(snapshot(10_000)), &["/a"; 1_024]),
        false,
    );
}

#[test]
fn hostile_names() {
    let state = hostile();
    for view in View::ALL {
        let state = State { view, ..hostile() };
        for size in SIZES {
            let shown = text(&drawn(&state, size));
            assert!(
                !shown.contains(|c: char| c.is_control() && c != '\n'),
                "{shown}"
            );
        }
    }
    check("hostile", state, true);
}

#[test]
fn the_observer_is_gone() {
    check("disconnected", disconnected(), false);
}

#[test]
fn without_colour_nothing_is_coloured() {
    use ratatui::style::Color;
    for colour in [true, false] {
        let state = State {
            colour,
            ..hostile()
        };
        let cells = drawn(&state, (80, 24)).content;
        let is_coloured = |cell: &ratatui::buffer::Cell| cell.fg != Color::Reset;
        assert_eq!(cells.iter().any(is_coloured), colour);
        assert!(cells.iter().all(|cell| cell.bg == Color::Reset));
    }
}

fn typed(state: &mut State, keys: &str) {
    for key in keys.chars() {
        state.on_key(if key == '\n' {
            Key::Enter
        } else {
            Key::Char(key)
        });
    }
}

fn paths(state: &State) -> Vec<String> {
    list::entries(state)
        .iter()
        .map(|entry| entry.cell(10))
        .collect()
}

#[test]
fn a_filter_is_a_regular_expression_and_says_when_it_is_none() {
    let mut state = state(Some(snapshot(12)), &[]);
    typed(&mut state, "2/IMAGES/1[12]\n");
    assert_eq!(paths(&state), ["/images/12.raw", "/images/11.raw"]);
    typed(&mut state, "/(");
    let shown = text(&drawn(&state, (80, 24)));
    assert!(
        shown.contains("/IMAGES/1[12](  ! unclosed group"),
        "{shown}"
    );
    // The last good one holds meanwhile.
    assert_eq!(paths(&state).len(), 2);
    state.on_key(Key::Escape);
    assert_eq!(paths(&state).len(), 12);
}

#[test]
fn a_list_is_sorted_by_any_column_both_ways() {
    let mut state = state(Some(snapshot(12)), &[]);
    typed(&mut state, "2");
    // What stands still, then the oldest.
    assert_eq!(paths(&state)[..2], ["/images/7.raw", "/images/12.raw"]);
    assert!(text(&drawn(&state, (80, 24))).contains("age▼"));
    typed(&mut state, "r");
    assert_eq!(paths(&state)[0], "/images/1.raw");
    assert!(text(&drawn(&state, (80, 24))).contains("age▲"));
    typed(&mut state, "<<<<");
    // Paths, from A on.
    assert_eq!(paths(&state)[1], "/images/10.raw...");
}

#[test]
fn what_is_selected_stays_selected_wherever_it_goes() {
    let mut state = state(Some(snapshot(12)), &[]);
    typed(&mut state, "2jj");
    let selected = |state: &State| {
        text(&drawn(state, (200, 60)))
            .lines()
            .find(|line| line.starts_with('>'))
            .map(str::to_owned)
    };
    let before = selected(&state).expect("one");
    assert!(before.contains("/images/11.raw"), "{before}");
    state.on_news(News::Snapshot(Box::new(snapshot(15))));
    assert!(selected(&state).expect("one").contains("/images/11.raw"));
    // It ends: what is at its place then is selected.
    state.on_news(News::Snapshot(Box::new(snapshot(9))));
    assert!(selected(&state).expect("one").contains("/images/8.raw"));
}

#[test]
fn all_rows_are_asked_for_only_where_they_are_needed() {
    for (keys, is_all) in [
        ("", false),
        ("2", false),
        ("2jj", false),
        ("2G", true),
        ("2>", true),
        ("2r", true),
        ("2rr", false),
        ("2/10\n", true),
        ("4", true),
        ("41", false),
    ] {
        let mut state = state(Some(snapshot(500)), &[]);
        typed(&mut state, keys);
        assert_eq!(state.wanted().rows == ROWS, is_all, "{keys}");
    }
}

#[test]
fn what_starves_is_named_in_each_view() {
    let mut state = state(Some(snapshot(3)), &[]);
    for view in View::ALL {
        state.view = view;
        assert!(
            text(&drawn(&state, (80, 24))).contains("! listen_queue "),
            "{view:?}"
        );
    }
}

#[test]
fn a_held_picture_does_not_change_and_says_so() {
    let mut state = state(Some(snapshot(2)), &[]);
    typed(&mut state, "2 ");
    state.on_news(News::Snapshot(Box::new(snapshot(5))));
    assert_eq!(paths(&state).len(), 2);
    assert!(text(&drawn(&state, (80, 24))).starts_with("[PAUSED, space goes on]"));
    typed(&mut state, " ");
    state.on_news(News::Snapshot(Box::new(snapshot(5))));
    assert_eq!(paths(&state).len(), 5);
}

#[test]
fn keys_that_are_not_for_the_view_are_actions() {
    let mut state = State::new(1_000, true);
    for (key, action) in [
        (Key::Suspend, Action::Suspend),
        (Key::Interrupt, Action::Quit),
        (Key::Char('q'), Action::Quit),
    ] {
        assert_eq!(state.on_key(key), action, "{key:?}");
    }
    typed(&mut state, "++-");
    assert_eq!(state.interval_ms, 500);
    // While a filter is typed they are letters.
    typed(&mut state, "/q+");
    assert_eq!(
        (state.filter.typed.as_str(), state.interval_ms),
        ("q+", 500)
    );
}

fn any_key() -> impl Strategy<Value = Key> {
    let named = prop::sample::select(vec![
        Key::Up,
        Key::Down,
        Key::PageUp,
        Key::PageDown,
        Key::Home,
        Key::End,
        Key::Left,
        Key::Right,
        Key::Enter,
        Key::Escape,
        Key::Next,
        Key::Former,
        Key::Backspace,
        Key::Clear,
    ]);
    let meant = prop::sample::select("123456 ?/<>rjkgG+-h".chars().collect::<Vec<_>>());
    prop_oneof![
        named,
        meant.prop_map(Key::Char),
        any::<char>().prop_map(Key::Char)
    ]
}

type Odd = (String, f64, u64, Option<f64>);

/// What no observer says, as far as types let it.
fn odd(parts: &[Odd]) -> Snapshot {
    let mut all = snapshot(0);
    for (text, float, count, maybe) in parts {
        all.rows.push(Row {
            id: text.clone(),
            path: text.clone(),
            phase: text.clone().into(),
            age_s: *float,
            began_s: *float,
            bytes: *count,
            total: Some(count.rotate_left(9)),
            rate: *maybe,
            ..row(1)
        });
        all.endpoints.push(Endpoint {
            endpoint: text.clone(),
            in_flight: *count,
            ended: *count,
            errors: *count,
            duration: maybe.map(|p50_s| Quantiles {
                p50_s,
                ..Quantiles::default()
            }),
            ..Endpoint::default()
        });
        all.links.push(Link {
            name: text.clone(),
            sent: *count,
            sent_drops: *count,
            received_drops: *count,
            ..Link::default()
        });
        let entries = usize::try_from(*count).unwrap_or(usize::MAX);
        all.tables.push(Table {
            entries,
            limit: entries.rotate_left(7),
            ..Table::default()
        });
        (all.at_s, all.uptime_s) = (*float, maybe.unwrap_or(*float));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_key_on_no_state_at_no_size_is_a_panic(
        snapshots in prop::collection::vec(prop::collection::vec(any::<Odd>(), 0..8), 0..3),
        keys in prop::collection::vec(any_key(), 0..40),
        size in (1..220_u16, 1..70_u16),
    ) {
        let mut state = state(None, &HOSTILE);
        let mut snapshots = snapshots.iter();
        for (turn, key) in keys.into_iter().enumerate() {
            if turn % 13 == 0 && let Some(parts) = snapshots.next() {
                state.on_news(News::Snapshot(Box::new(odd(parts))));
            }
            state.on_key(key);
            if turn % 7 == 0 {
                drawn(&state, size);
            }
        }
        state.tick(Duration::from_secs(9));
        let shown = text(&drawn(&state, size));
        let is_obeyed = |c: char| c.is_control() && c != '\n';
        prop_assert!(!shown.contains(is_obeyed));
    }
}
