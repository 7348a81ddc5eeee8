//! Serves viewers: each has a task of its own, which asks the observer and waits for its viewer.
//! Bounded: so many viewers, one request each, so long for what they say and take.

use std::{
    io,
    os::unix::net::{UnixListener as StdListener, UnixStream as StdStream},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot, watch},
    task::{JoinSet, spawn_blocking},
    time::{Interval, MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    frame,
    message::{Filter, Hello, Message, ROWS, Request},
};
use crate::errors::{Errors, Failure};

/// People, and a program or two.
pub const VIEWERS: usize = 16;
/// From connect to the whole request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// For a frame to be read: a viewer that was stopped for longer comes again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between frames.
const SOONEST_MS: u64 = 250;
const LATEST_MS: u64 = 60_000;
/// Between the observer's looks at all that lives: a snapshot right behind one costs no other.
const LOOK: Duration = Duration::from_secs(1);
/// Between looks at what ended, for who follows it.
const FOLLOW: Duration = Duration::from_millis(500);
/// After a failed accept (out of descriptors): the next would fail at once, too.
const BACK_OFF: Duration = Duration::from_millis(100);

/// What a viewer's task wants to know.
#[derive(Clone, Debug)]
pub enum Question {
    /// All there is.
    Snapshot {
        /// So many rows.
        rows: usize,
        /// It has time until the observer looks at all that lives, as it does each second.
        has_time: bool,
    },
    /// What ended.
    Recent {
        /// Behind so many.
        after: u64,
        /// So many at most: the last.
        last: usize,
        /// Which.
        filter: Filter,
    },
    /// The paths that no rule knows.
    Unmatched,
}

/// A question, and where its answer goes.
#[derive(Debug)]
pub struct Ask {
    /// What.
    pub question: Question,
    /// To whom.
    pub answer: oneshot::Sender<Arc<Answer>>,
}

/// A message that is encoded once, by the first who sends it.
#[derive(Debug)]
pub struct Answer {
    message: Message,
    bytes: OnceLock<Vec<u8>>,
}

impl Answer {
    /// Not encoded yet.
    pub fn new(message: Message) -> Self {
        let bytes = OnceLock::new();
        Self { message, bytes }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get_or_init(|| bytes(&self.message))
    }
}

fn bytes(message: &Message) -> Vec<u8> {
    let refused = |error: io::Error| frame::encode(&Message::Refused(error.to_string()));
    frame::encode(message).or_else(refused).unwrap_or_default()
}

/// Who watches, and what they missed.
#[derive(Debug, Default)]
pub struct Viewers {
    now: AtomicUsize,
    missed: AtomicU64,
}

impl Viewers {
    /// How many there are.
    pub fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// Frames that were due while a viewer had not read the one before.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

/// One of the places there are.
struct Seat(Arc<Viewers>);

impl Seat {
    /// One task gives them out.
    fn take(viewers: &Arc<Viewers>) -> Option<Self> {
        (viewers.now() < VIEWERS).then(|| {
            viewers.now.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(viewers))
        })
    }

    fn miss(&self) {
        self.0.missed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where viewers come from.
pub enum Door {
    /// The live socket.
    Socket(UnixListener),
    /// This process: their ends of connections.
    Inside(mpsc::Receiver<StdStream>),
}

impl Door {
    /// One that is listened on, and does not block.
    pub fn socket(listener: StdListener) -> io::Result<Self> {
        UnixListener::from_std(listener).map(Self::Socket)
    }

    async fn accept(&mut self) -> io::Result<UnixStream> {
        match self {
            Self::Socket(listener) => listener.accept().await.map(|(stream, _)| stream),
            Self::Inside(streams) => match streams.recv().await {
                Some(stream) => {
                    stream.set_nonblocking(true)?;
                    UnixStream::from_std(stream)
                }
                // Nobody can come any more.
                None => std::future::pending().await,
            },
        }
    }
}

/// Serves until `stop` says true or is dropped; then all viewers are let go.
pub async fn serve(
    mut door: Door,
    asks: mpsc::Sender<Ask>,
    viewers: Arc<Viewers>,
    errors: Arc<Errors>,
    mut stop: watch::Receiver<bool>,
) {
    let mut running = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = door.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        while running.try_join_next().is_some() {}
        match (accepted, Seat::take(&viewers)) {
            (Ok(stream), Some(seat)) => {
                running.spawn(attend(stream, asks.clone(), seat));
            }
            (Ok(stream), None) => turn_away(&stream),
            (Err(_), _) => {
                errors.count(Failure::Accept);
                sleep(BACK_OFF).await;
            }
        }
    }
}

/// Nobody waits for it to be read: it fits into the socket's buffer.
fn turn_away(stream: &UnixStream) {
    let why = format!("{VIEWERS} others watch already: end one of them first");
    let said = [Message::Hello(Hello::ours()), Message::Refused(why)];
    let _ = stream.try_write(&said.map(|message| bytes(&message)).concat());
}

/// A viewer that breaks off, or is cut off, is its own affair.
async fn attend(stream: UnixStream, asks: mpsc::Sender<Ask>, seat: Seat) {
    let (from, to) = stream.into_split();
    let mut viewer = Viewer {
        from,
        to,
        asks,
        seat,
    };
    let _ = viewer.attend().await;
}

struct Viewer {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    asks: mpsc::Sender<Ask>,
    seat: Seat,
}

impl Viewer {
    async fn attend(&mut self) -> io::Result<()> {
        self.say(Message::Hello(Hello::ours())).await?;
        let request = frame::receive(&mut self.from, frame::REQUEST_MAX);
        match timeout(REQUEST_TIMEOUT, request).await? {
            Ok(Request::Watch {
                interval_ms,
                ended,
                rows,
            }) => self.watch(interval_ms, ended, rows).await,
            Ok(Request::Recent {
                filter,
                last,
                follow,
            }) => self.recent(filter, last, follow).await,
            Ok(Request::Snapshot) => {
                let (rows, has_time) = (ROWS, false);
                self.once(Question::Snapshot { rows, has_time }).await
            }
            Ok(Request::Unmatched) => self.once(Question::Unmatched).await,
            Err(error) => {
                self.say(Message::Refused(format!("no request: {error}")))
                    .await
            }
        }
    }

    async fn say(&mut self, message: Message) -> io::Result<()> {
        timeout(PATIENCE, self.to.write_all(&bytes(&message))).await?
    }

    async fn once(&mut self, question: Question) -> io::Result<()> {
        let answer = self.ask(question).await?;
        self.send(answer, None).await
    }

    async fn watch(&mut self, interval_ms: u64, ended: bool, rows: usize) -> io::Result<()> {
        let interval = Duration::from_millis(interval_ms.clamp(SOONEST_MS, LATEST_MS));
        let mut ticks = every(interval);
        let (mut after, mut has_time) = (0, false);
        loop {
            self.until(&mut ticks).await?;
            let answer = self.ask(Question::Snapshot { rows, has_time }).await?;
            // The first one at once. Asked for in the middle between two looks, none of the next is
            // missed by a hair.
            has_time = interval >= LOOK;
            if has_time {
                ticks.reset_after(interval - LOOK / 2);
            }
            self.send(answer, Some(&mut ticks)).await?;
            if ended {
                self.tell_ended(&mut after, usize::MAX, &Filter::default())
                    .await?;
            }
        }
    }

    async fn recent(&mut self, filter: Filter, last: usize, follow: bool) -> io::Result<()> {
        let mut ticks = every(FOLLOW);
        let (mut after, mut last) = (0, last);
        loop {
            self.until(&mut ticks).await?;
            self.tell_ended(&mut after, last, &filter).await?;
            last = usize::MAX;
            if !follow {
                return Ok(());
            }
        }
    }

    /// What ended behind so many, if something did, or if it is the first time.
    async fn tell_ended(
        &mut self,
        after: &mut u64,
        last: usize,
        filter: &Filter,
    ) -> io::Result<()> {
        let question = Question::Recent {
            after: *after,
            last,
            filter: filter.clone(),
        };
        let answer = self.ask(question).await?;
        let Message::Recent(recent) = &answer.message else {
            return Ok(());
        };
        let is_first = std::mem::replace(after, recent.count) == 0;
        if is_first || !recent.ended.is_empty() || recent.missed != 0 {
            self.send(answer, None).await?;
        }
        Ok(())
    }

    /// An error once the viewer is gone, or says more than its one request.
    async fn until(&mut self, ticks: &mut Interval) -> io::Result<()> {
        tokio::select! {
            _ = ticks.tick() => Ok(()),
            _ = self.from.read_u8() => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// An error once the observer has ended.
    async fn ask(&self, question: Question) -> io::Result<Arc<Answer>> {
        let (answer, answered) = oneshot::channel();
        let ask = Ask { question, answer };
        self.asks.send(ask).await.map_err(io::Error::other)?;
        answered.await.map_err(io::Error::other)
    }

    /// Waits until it is taken. What would be due meanwhile is missed.
    async fn send(
        &mut self,
        answer: Arc<Answer>,
        mut ticks: Option<&mut Interval>,
    ) -> io::Result<()> {
        // Milliseconds where there are thousands of rows.
        let encoding = spawn_blocking(move || {
            answer.bytes();
            answer
        });
        let answer = encoding.await.map_err(io::Error::other)?;
        let write = self.to.write_all(answer.bytes());
        let deadline = sleep(PATIENCE);
        tokio::pin!(write, deadline);
        loop {
            tokio::select! {
                biased;
                written = &mut write => return written,
                () = &mut deadline => return Err(io::ErrorKind::TimedOut.into()),
                () = tick(&mut ticks) => self.seat.miss(),
            }
        }
    }
}

async fn tick(ticks: &mut Option<&mut Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => std::future::pending().await,
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

#[cfg(test)]
mod tests;
