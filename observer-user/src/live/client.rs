//! The side of `top`, `explain` and `tail`. It blocks.

use std::{
    fmt,
    io::{self, ErrorKind, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::sync::mpsc::Sender;

use super::{
    DEFAULT, frame,
    message::{Message, Request, VERSION},
};

/// An observer that says nothing for so long is stopped, or something else.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the observer is asked.
#[derive(Clone, Debug, clap::Args)]
pub struct SocketArgs {
    /// The running observer's live socket
    #[arg(long, value_name = "PATH", default_value = DEFAULT)]
    pub live_socket: PathBuf,
}

/// Where an observer takes viewers.
#[derive(Clone, Debug)]
pub enum Way {
    /// Its live socket.
    Socket(PathBuf),
    /// In this process: it gets the other end of a connection.
    Inside(Sender<UnixStream>),
}

impl Way {
    fn connect(&self) -> Result<UnixStream> {
        match self {
            Self::Socket(path) => {
                UnixStream::connect(path).map_err(|error| unreachable(path, &error))
            }
            Self::Inside(streams) => {
                let (ours, its) = UnixStream::pair()?;
                let taken = streams.try_send(its);
                taken.map_err(|_| anyhow!("the observer in this process has ended: start anew"))?;
                Ok(ours)
            }
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Inside(_) => f.write_str("this process"),
        }
    }
}

/// True unless nobody listens there; one that may not be opened is there.
pub fn is_there(path: &Path) -> bool {
    !UnixStream::connect(path).is_err_and(|error| is_nobody(&error))
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused
    )
}

/// A connection that has asked.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
}

impl Client {
    /// Connects to a live socket and asks. An error names its fix.
    pub fn ask(path: &Path, request: &Request) -> Result<Self> {
        Self::by(&Way::Socket(path.to_owned()), request)
    }

    /// The same by any way.
    pub fn by(way: &Way, request: &Request) -> Result<Self> {
        let stream = way.connect()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut client = Self { stream };
        match client.hear().with_context(|| silent(way))? {
            Some(Message::Hello(hello)) if hello.version == VERSION => {}
            Some(Message::Hello(hello)) => bail!(
                "the observer at {way} is pxe-observer {} and speaks another version: use its own program",
                hello.build
            ),
            _ => bail!("{way} is no live socket of pxe-observer"),
        }
        let request = frame::encode(request)?;
        // One that turns us away has closed already, and said why.
        match client.stream.write_all(&request) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("ask")?,
            _ => Ok(client),
        }
    }

    /// The one answer to a request.
    pub fn once(path: &Path, request: &Request) -> Result<Message> {
        let answer = Self::ask(path, request)?.hear()?;
        answer.ok_or_else(|| anyhow!("the observer has ended"))
    }

    /// What is said next; `None` once the observer has ended. A refusal is an error.
    pub fn hear(&mut self) -> Result<Option<Message>> {
        match frame::read(&mut self.stream, frame::ANSWER_MAX) {
            Ok(Some(Message::Refused(why))) => bail!("the observer refuses: {why}"),
            Ok(message) => Ok(message),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error).context("read what the observer says"),
        }
    }

    /// Waits for what is said next for so long.
    pub fn patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(patience)
    }

    /// A handle by which another thread can end it.
    pub fn handle(&self) -> io::Result<UnixStream> {
        self.stream.try_clone()
    }
}

fn silent(way: &Way) -> String {
    format!("whoever listens at {way} does not greet as pxe-observer does")
}

fn unreachable(path: &Path, error: &io::Error) -> anyhow::Error {
    let path = path.display();
    if is_nobody(error) {
        anyhow!(
            "no observer at {path}: start `pxe-observer run`, or name its socket with --live-socket"
        )
    } else if error.kind() == ErrorKind::PermissionDenied {
        anyhow!("{path} may not be opened: be root, or a member of the group pxe-observer")
    } else {
        anyhow!("connect to {path}: {error}")
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::unix::net::UnixListener, thread};

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::live::message::Hello;

    /// What comes of asking somebody who says this.
    fn asked(said: Vec<u8>) -> String {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("live.sock");
        let listener = UnixListener::bind(&path).expect("bind");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            // It may be gone before it has heard or said all.
            let _ = stream.write_all(&said);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let answer = Client::once(&path, &Request::Snapshot);
        server.join().expect("the server");
        match answer {
            Ok(message) => format!("{message:?}"),
            Err(error) => format!("{error:#}"),
        }
    }

    fn said(messages: &[Message]) -> Vec<u8> {
        let frames = messages
            .iter()
            .map(|one| frame::encode(one).expect("encoded"));
        frames.collect::<Vec<_>>().concat()
    }

    #[test]
    fn an_error_names_its_fix() {
        let hello = |version| {
            Message::Hello(Hello {
                version,
                build: "9.9".to_owned(),
            })
        };
        let refused = Message::Refused("16 others watch already".to_owned());
        for (said, error) in [
            (
                said(&[hello(VERSION + 1)]),
                "is pxe-observer 9.9 and speaks another version",
            ),
            (said(&[hello(VERSION), refused]), "16 others watch already"),
            (said(&[hello(VERSION)]), "the observer has ended"),
            (
                said(&[Message::Unmatched(Vec::new())]),
                "is no live socket of pxe-observer",
            ),
            (
                b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
                "does not greet as pxe-observer does",
            ),
        ] {
            let found = asked(said);
            assert!(found.contains(error), "{found}");
        }
        let folder = TempDir::new().expect("a folder");
        let nobody = Client::once(&folder.path().join("live.sock"), &Request::Snapshot);
        let found = nobody.expect_err("nobody").to_string();
        assert!(found.contains("start `pxe-observer run`"), "{found}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_is_said_harms_no_client(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            greets in any::<bool>(),
        ) {
            let hello = if greets { said(&[Message::Hello(Hello::ours())]) } else { Vec::new() };
            let _ = asked([hello, bytes].concat());
        }
    }
}
