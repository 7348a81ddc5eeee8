//! Viewers of every kind, before an observer that only answers.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::live::{
    Place,
    client::Client,
    message::{Recent, Snapshot},
};

/// A server, an observer that answers with `rows` rows' worth of text, and where they are.
struct Stage {
    folder: TempDir,
    viewers: Arc<Viewers>,
    stop: watch::Sender<bool>,
    _place: Place,
}

impl Stage {
    fn new(padding: usize) -> Self {
        let folder = TempDir::new().expect("a folder");
        let (place, listener) = Place::take(&folder.path().join("live.sock")).expect("a place");
        let (asks, asked) = mpsc::channel(VIEWERS);
        let (stop, stopped) = watch::channel(false);
        let viewers = Arc::default();
        tokio::spawn(answer(asked, padding));
        let serving = serve(
            Door::socket(listener).expect("a door"),
            asks,
            Arc::clone(&viewers),
            Arc::default(),
            stopped,
        );
        tokio::spawn(serving);
        Self {
            folder,
            viewers,
            stop,
            _place: place,
        }
    }

    async fn connect(&self) -> UnixStream {
        let path = self.folder.path().join("live.sock");
        UnixStream::connect(path).await.expect("connect")
    }

    /// A viewer that has asked.
    async fn asks(&self, request: &[u8]) -> UnixStream {
        let mut stream = self.connect().await;
        // It may be turned away before it has said all.
        let _ = stream.write_all(request).await;
        stream
    }

    async fn until(&self, reached: impl Fn(&Viewers) -> bool) {
        while !reached(&self.viewers) {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn answer(mut asked: mpsc::Receiver<Ask>, padding: usize) {
    let mut count = 0;
    while let Some(ask) = asked.recv().await {
        count += 1;
        let message = match ask.question {
            Question::Snapshot { .. } => {
                let mut snapshot = Snapshot::default();
                snapshot.findings.resize_with(1, Default::default);
                snapshot.findings[0].says = "x".repeat(padding);
                Message::Snapshot(Box::new(snapshot))
            }
            Question::Recent { after, .. } => Message::Recent(Recent {
                count: after + 1,
                missed: 1,
                ..Recent::default()
            }),
            Question::Unmatched => Message::Unmatched(Vec::new()),
        };
        let _ = ask.answer.send(Arc::new(Answer::new(message)));
    }
    assert!(count < 1_000_000, "nobody asks for ever");
}

async fn next(stream: &mut UnixStream) -> io::Result<Message> {
    frame::receive(stream, frame::ANSWER_MAX).await
}

fn framed(request: &Request) -> Vec<u8> {
    frame::encode(request).expect("encoded")
}

#[tokio::test]
async fn a_viewer_is_greeted_and_answered() {
    let stage = Stage::new(0);
    for (request, is_answer) in [
        (
            Request::Snapshot,
            (|message| matches!(message, Message::Snapshot(_))) as fn(&Message) -> bool,
        ),
        (Request::Unmatched, |message| {
            matches!(message, Message::Unmatched(_))
        }),
        (Request::watch(0), |message| {
            matches!(message, Message::Snapshot(_))
        }),
    ] {
        let mut stream = stage.asks(&framed(&request)).await;
        let hello = next(&mut stream).await.expect("a hello");
        assert_eq!(hello, Message::Hello(Hello::ours()));
        assert!(is_answer(&next(&mut stream).await.expect("an answer")));
        if let Request::Watch { .. } = request {
            assert!(is_answer(&next(&mut stream).await.expect("another")));
        } else {
            assert!(next(&mut stream).await.is_err(), "it ends");
        }
    }
    stage.until(|viewers| viewers.now() == 0).await;
}

#[tokio::test]
async fn one_too_many_is_told_so() {
    let stage = Stage::new(0);
    let mut held = Vec::new();
    for _ in 0..VIEWERS {
        let mut stream = stage.asks(&framed(&Request::watch(60_000))).await;
        next(&mut stream).await.expect("a hello");
        next(&mut stream).await.expect("a snapshot");
        held.push(stream);
    }
    let mut late = stage.asks(&framed(&Request::Snapshot)).await;
    next(&mut late).await.expect("a hello");
    let refused = next(&mut late).await.expect("a refusal");
    assert!(matches!(refused, Message::Refused(why) if why.contains("16 others watch already")));
    // One that leaves makes room.
    held.pop();
    stage.until(|viewers| viewers.now() == VIEWERS - 1).await;
    let mut stream = stage.asks(&framed(&Request::Snapshot)).await;
    next(&mut stream).await.expect("a hello");
    assert!(matches!(next(&mut stream).await, Ok(Message::Snapshot(_))));
}

#[tokio::test]
async fn who_does_not_read_misses_frames_and_nobody_else_does() {
    // More than a socket's buffer holds.
    let stage = Stage::new(4 << 20);
    let watch = framed(&Request::watch(250));
    let _sleeps = stage.asks(&watch).await;
    let mut reads = stage.asks(&watch).await;
    next(&mut reads).await.expect("a hello");
    stage.until(|viewers| viewers.missed() >= 2).await;
    for _ in 0..3 {
        next(&mut reads).await.expect("a snapshot");
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_or_never_reads_loses_the_place() {
    let stage = Stage::new(4 << 20);
    let _silent = stage.connect().await;
    let _sleeps = stage.asks(&framed(&Request::watch(1_000))).await;
    stage.until(|viewers| viewers.now() == 2).await;
    stage.until(|viewers| viewers.now() == 0).await;
}

#[tokio::test]
async fn nonsense_is_refused() {
    let stage = Stage::new(0);
    for said in [
        &b"\0\0\0\x02{}"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
    ] {
        let mut stream = stage.asks(said).await;
        next(&mut stream).await.expect("a hello");
        let refused = next(&mut stream).await.expect("a refusal");
        assert!(matches!(&refused, Message::Refused(why) if why.starts_with("no request: ")));
    }
}

#[tokio::test]
async fn a_stop_lets_all_go() {
    let stage = Stage::new(0);
    let mut stream = stage.asks(&framed(&Request::watch(60_000))).await;
    next(&mut stream).await.expect("a hello");
    next(&mut stream).await.expect("a snapshot");
    stage.stop.send_replace(true);
    assert!(next(&mut stream).await.is_err());
}

#[tokio::test]
async fn the_blocking_client_follows_what_ends() {
    let stage = Stage::new(0);
    let path = stage.folder.path().join("live.sock");
    let counts = spawn_blocking(move || {
        let request = Request::Recent {
            filter: Filter::default(),
            last: 10,
            follow: true,
        };
        let mut client = Client::ask(&path, &request).expect("asked");
        let mut count = || match client.hear().expect("a message") {
            Some(Message::Recent(recent)) => recent.count,
            other @ (None | Some(_)) => panic!("{other:?}"),
        };
        [count(), count(), count()]
    });
    assert_eq!(counts.await.expect("they come"), [1, 2, 3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever they say, however much of it, and whenever they leave.
    #[test]
    fn no_viewer_harms_another(
        said in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 1..VIEWERS),
        framed_too in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let stage = Stage::new(0);
            let path = stage.folder.path().join("live.sock");
            for bytes in &said {
                let mut stream = StdStream::connect(&path).expect("connect");
                let length = u32::try_from(bytes.len()).expect("few").to_be_bytes();
                let said = if framed_too { [&length[..], bytes].concat() } else { bytes.clone() };
                let _ = io::Write::write_all(&mut stream, &said);
            }
            stage.until(|viewers| viewers.now() == 0).await;
            let mut stream = stage.asks(&framed(&Request::Snapshot)).await;
            next(&mut stream).await.expect("a hello");
            assert!(matches!(next(&mut stream).await, Ok(Message::Snapshot(_))));
        });
    }
}
