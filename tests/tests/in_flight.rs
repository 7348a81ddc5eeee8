//! Downloads that are held still: in flight is their number, and 0 after.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, TcpStream},
};

use tests::{client, netns::Netns, nginx::Nginx, observer::Observer, require_root};

const PORT: u16 = 18_082;
const DOWNLOADS: usize = 12;
/// More than socket buffers hold, so that the server waits for the client.
const SIZE: usize = 24 << 20;

#[test]
fn downloads_are_in_flight_until_their_last_byte() {
    require_root();
    let netns = Netns::new("srv").expect("netns");
    let nginx = Nginx::start(&netns, PORT, &[("/images/os.raw", SIZE)]).expect("nginx");
    let port = PORT.to_string();
    let observer =
        Observer::start(&["--http-port", &port, "--profile", "dragonfly"]).expect("observer");
    let in_flight = |endpoint| {
        let scrape = observer.scrape().expect("scrape");
        scrape.sum("http_requests_in_flight", &[("endpoint", endpoint)])
    };
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));

    let mut held: Vec<TcpStream> = Vec::new();
    for number in 1..=DOWNLOADS {
        let stream = netns.inside(|| begin(server)).expect("inside");
        held.push(stream);
        assert_eq!(in_flight("image"), number as f64);
    }
    // The half that breaks off leaves as the half that finishes does.
    let aborted = held.split_off(DOWNLOADS / 2);
    drop(aborted);
    for (finished, mut stream) in held.into_iter().enumerate() {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the rest");
        assert!(
            rest.len() > SIZE / 2,
            "{} bytes of download {finished}",
            rest.len()
        );
    }
    let scrape = observer.scrape().expect("scrape");
    let image = |name| scrape.sum(name, &[("endpoint", "image")]);
    assert_eq!(image("http_requests_in_flight"), 0.0);
    assert_eq!(image("http_requests_in_flight_peak"), DOWNLOADS as f64);
    // In flight from the end of the line, which is told microseconds behind the first byte.
    let total = image("http_requests_in_flight_seconds_total");
    let early = image("http_request_duration_seconds_sum") - total;
    assert!((-1e-6..0.01).contains(&early), "{early} s less");
    assert_eq!(scrape.lost(), []);
    assert_eq!(nginx.stop().expect("log").len(), DOWNLOADS);
    observer.stop().expect("stop");
}

/// A download whose first bytes are here, and whose rest waits.
fn begin(server: SocketAddr) -> TcpStream {
    let mut stream = client::ask(server, "/images/os.raw").expect("ask");
    let mut first = [0; 512];
    stream.read_exact(&mut first).expect("first bytes");
    stream
}
