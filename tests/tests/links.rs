//! The interfaces that carry boot traffic: all that they carry and drop, and no others.

use std::{
    collections::BTreeSet,
    io::{BufReader, Write as _},
    net::{IpAddr, SocketAddr, TcpListener},
    process::Command,
    thread,
};

use serde_json::Value;
use tests::{
    client::{self, Request, curl},
    netns::{Ends, Netns, link},
    nginx::Nginx,
    observer::Observer,
    process::run,
    require_root,
    scrape::Scrape,
    tftp::{client::Client, server::Server},
};

const IMAGE: usize = 16 << 20;

/// Of HTTP and TFTP at this port: others' tests have servers at port 69 meanwhile.
fn observe(port: u16) -> Observer {
    let port = port.to_string();
    Observer::start(&["--http-port", &port, "--tftp-port", &port]).expect("observer")
}

/// What a program that writes JSON says of a device inside.
fn says(netns: &Netns, program: &str, args: &[&str]) -> Value {
    let text = run(netns.command(program).args(["-s", "-j"]).args(args)).expect(program);
    serde_json::from_str(&text).expect("JSON")
}

/// What the kernel says that the device sent and received.
fn carried(netns: &Netns, device: &str) -> [f64; 2] {
    let said = says(netns, "ip", &["link", "show", device]);
    ["tx", "rx"].map(|way| said[0]["stats64"][way]["bytes"].as_f64().expect("a number"))
}

/// The same, as observed.
fn counted(scrape: &Scrape, device: &str) -> [f64; 2] {
    ["sent", "received"].map(|direction| of(scrape, "pxe_link_bytes_total", direction, device))
}

fn of(scrape: &Scrape, name: &str, direction: &str, device: &str) -> f64 {
    let labels = [("direction", direction), ("interface", device)];
    scrape.sum(name, &labels)
}

fn interfaces(scrape: &Scrape) -> BTreeSet<String> {
    let series = scrape.all();
    let links = series.filter(|(name, ..)| name.starts_with("pxe_link_"));
    links
        .map(|(_, labels, _)| labels["interface"].clone())
        .collect()
}

/// As many as the kernel says, of these devices and of no others.
fn until_equal(observer: &Observer, netns: &Netns, devices: &[&str]) -> Scrape {
    let scrape = observer.until(|scrape| {
        devices.iter().all(|device| {
            let counted = counted(scrape, device);
            counted == carried(netns, device) && counted != [0.0; 2]
        })
    });
    let scrape = scrape.expect("what the kernel says");
    let devices = devices.iter().map(ToString::to_string).collect();
    assert_eq!(interfaces(&scrape), devices);
    assert_eq!(scrape.sum("pxe_observer_errors_total", &[]), 0.0);
    scrape
}

/// A server with a link to clients, and another to somebody who boots nothing.
struct Servers {
    server: Netns,
    clients: Netns,
    _others: Netns,
    address: IpAddr,
    link: u8,
}

impl Servers {
    fn new(subnet: u8) -> Self {
        require_root();
        let netns = |purpose| Netns::new(purpose).expect("netns");
        let (server, clients, others) = (netns("srv"), netns("cli"), netns("idle"));
        let Ends { far, .. } = link(&clients, &server, subnet).expect("link");
        link(&others, &server, subnet + 1).expect("link");
        Self {
            server,
            clients,
            _others: others,
            address: far[0],
            link: subnet,
        }
    }

    /// The server's end.
    fn device(&self) -> String {
        format!("f{}", self.link)
    }
}

#[test]
fn a_download_is_in_the_bytes_of_its_link_alone() {
    const PORT: u16 = 18_420;
    let stage = Servers::new(120);
    let nginx = Nginx::start(&stage.server, PORT, &[("/images/os.raw", IMAGE)]).expect("nginx");
    let observer = observe(PORT);
    let get = [Request::from(("GET", "/images/os.raw"))];
    // Over loopback, which is no link.
    curl(&stage.server, [127, 0, 0, 1].into(), PORT, &get, true).expect("download");
    curl(&stage.clients, stage.address, PORT, &get, true).expect("download");
    let scrape = until_equal(&observer, &stage.server, &[&stage.device()]);
    let [sent, received] = counted(&scrape, &stage.device());
    assert!(sent >= IMAGE as f64 && received < sent, "{sent} {received}");
    assert_eq!(scrape.sum("pxe_link_drops_total", &[]), 0.0);
    assert_eq!(scrape.sum("pxe_observer_label_overflow_total", &[]), 0.0);
    nginx.stop().expect("stop");
    observer.stop().expect("stop");
}

#[test]
fn an_interface_that_is_made_anew_is_counted_on() {
    const PORT: u16 = 18_421;
    let stage = Servers::new(122);
    let nginx = Nginx::start(&stage.server, PORT, &[("/images/os.raw", IMAGE)]).expect("nginx");
    let observer = observe(PORT);
    let get = [Request::from(("GET", "/images/os.raw"))];
    let download = || curl(&stage.clients, stage.address, PORT, &get, true).expect("download");
    download();
    let device = stage.device();
    let before = counted(&until_equal(&observer, &stage.server, &[&device]), &device);
    stage.server.ip(&["link", "del", &device]).expect("delete");
    link(&stage.clients, &stage.server, stage.link).expect("link");
    download();
    let both = |scrape: &Scrape| {
        let now = carried(&stage.server, &device);
        counted(scrape, &device) == [before[0] + now[0], before[1] + now[1]]
    };
    let scrape = observer.until(both).expect("the sum of both");
    assert!(counted(&scrape, &device)[0] >= 2.0 * IMAGE as f64);
    nginx.stop().expect("stop");
    observer.stop().expect("stop");
}

#[test]
fn a_full_link_drops_what_its_queue_says() {
    const PORT: u16 = 18_422;
    const DOWNLOADS: usize = 8;
    let stage = Servers::new(124);
    let device = stage.device();
    let shape = ["rate", "2mbit", "burst", "16kb", "limit", "16kb"];
    let mut tc = stage.server.command("tc");
    tc.args(["qdisc", "add", "dev", &device, "root", "tbf"])
        .args(shape);
    run(&mut tc).expect("tc");
    let nginx = Nginx::start(&stage.server, PORT, &[("/images/os.raw", 64 << 10)]).expect("nginx");
    let observer = observe(PORT);
    let get = [Request::from(("GET", "/images/os.raw"))];
    thread::scope(|scope| {
        for _ in 0..DOWNLOADS {
            scope
                .spawn(|| curl(&stage.clients, stage.address, PORT, &get, true).expect("download"));
        }
    });
    let queue = || {
        let said = says(&stage.server, "tc", &["qdisc", "show", "dev", &device]);
        let root = said.as_array().expect("a list").iter();
        let mut root = root.filter(|queue| queue["root"] == true);
        root.next().expect("a root")["drops"]
            .as_f64()
            .expect("a number")
    };
    let drops = |scrape: &Scrape| of(scrape, "pxe_link_drops_total", "sent", &device);
    let scrape = observer.until(|scrape| drops(scrape) == queue() && drops(scrape) > 0.0);
    let scrape = scrape.expect("as many as the queue says");
    assert_eq!(interfaces(&scrape), BTreeSet::from([device.clone()]));
    let received = of(&scrape, "pxe_link_drops_total", "received", &device);
    assert_eq!(received, 0.0);
    nginx.stop().expect("stop");
    observer.stop().expect("stop");
}

#[test]
fn tftp_is_carried_where_answers_to_its_clients_leave() {
    const PORT: u16 = 18_423;
    let stage = Servers::new(126);
    let files = [("/pxelinux.0", 1 << 20)];
    let _server = Server::tftp_hpa(&stage.server, PORT, &files).expect("tftpd");
    let observer = observe(PORT);
    let address = SocketAddr::new(stage.address, PORT);
    let got = Client::TftpHpa.get(&stage.clients, address, "pxelinux.0");
    assert_eq!(got.expect("tftp"), Some(1 << 20));
    let scrape = until_equal(&observer, &stage.server, &[&stage.device()]);
    let [sent, _] = counted(&scrape, &stage.device());
    assert!(sent >= f64::from(1 << 20), "{sent}");
    observer.stop().expect("stop");
}

/// In the host's own namespace, for speeds of others are not known: a macvlan, which asks what it is
/// over. A veth says 10 Gbit/s, for want of a better answer.
#[test]
fn what_is_beneath_is_told_and_the_speed_of_a_link_that_has_one() {
    const PORT: u16 = 18_424;
    const SERVER: &str = "10.44.128.1";
    require_root();
    let clients = Netns::new("cli").expect("netns");
    let number = std::process::id() % 100_000;
    let (lower, upper) = (format!("pxol{number}"), format!("pxou{number}"));
    let ip = |args: &str| run(Command::new("ip").args(args.split(' '))).expect("ip");
    let far = |args: &str| {
        let args: Vec<&str> = args.split(' ').collect();
        clients.ip(&args).expect("ip");
    };
    // Both go with the namespace, where the other end is.
    far(&format!("link add far type veth peer name {lower} netns 1"));
    far("addr add 10.44.128.2/24 dev far");
    far("link set far up");
    ip(&format!("link add link {lower} name {upper} type macvlan"));
    ip(&format!("addr add {SERVER}/24 dev {upper}"));
    ip(&format!("link set {lower} up"));
    ip(&format!("link set {upper} up"));
    let server: SocketAddr = format!("{SERVER}:{PORT}").parse().expect("an address");
    let listener = TcpListener::bind(server).expect("bind");
    let observer = observe(PORT);
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("accept");
        let mut stream = BufReader::new(stream);
        client::read_head(&mut stream).expect("a request");
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        stream.get_mut().write_all(answer).expect("answer");
        listener
    });
    let got = clients.inside(|| client::get(server, "/")).expect("inside");
    assert!(got.expect("an answer").starts_with("HTTP/1.1 200"));
    let _listens = serving.join().expect("server");
    let both = BTreeSet::from([lower.clone(), upper.clone()]);
    let scrape = observer.until(|scrape| interfaces(scrape) == both);
    let scrape = scrape.expect("both");
    let speed = |device: &str| {
        let mut series = scrape.series("pxe_link_speed_bytes");
        series.find_map(|(labels, speed)| (labels["interface"] == device).then_some(speed))
    };
    assert_eq!(speed(&upper), Some(1.25e9));
    assert_eq!(speed(&lower), None);
    observer.stop().expect("stop");
}
