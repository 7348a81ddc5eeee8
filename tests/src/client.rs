//! Clients: plain sockets where a test must hold them still, curl where it must not.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, ErrorKind, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::net::sockopt::set_socket_linger;

use crate::netns::Netns;

/// A server that says nothing for so long is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// One GET on a connection of its own; the whole answer.
pub fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = ask(address, path)?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .context("read an answer")?;
    Ok(answer)
}

/// The same with header lines of its own.
pub fn get_with(address: SocketAddr, path: &str, headers: &str) -> Result<String> {
    let mut stream =
        TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    prepare(&stream)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n")?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .context("read an answer")?;
    Ok(answer)
}

/// Sends a GET that closes the connection behind its answer, and reads nothing.
pub fn ask(address: SocketAddr, path: &str) -> Result<TcpStream> {
    let mut stream =
        TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    prepare(&stream)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )?;
    Ok(stream)
}

/// Makes each write a segment, and no read wait for ever.
pub fn prepare(stream: &TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .context("limit reads")
}

/// Reads a message's head, up to and with its blank line.
pub fn read_head(stream: &mut impl BufRead) -> Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read = stream.read_line(&mut head).context("read a head")?;
        ensure!(read != 0, "it ended in its head: {head}");
    }
    Ok(head)
}

/// Reads an answer that says its length, or has none; returns both.
pub fn read_answer(stream: &mut impl BufRead) -> Result<(String, Vec<u8>)> {
    let head = read_head(stream)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    let mut body = vec![0; length.map_or(Ok(0), str::parse)?];
    stream.read_exact(&mut body).context("read a body")?;
    Ok((head, body))
}

/// Closes with a reset, as the kernel does for a process that leaves bytes unread.
pub fn reset(stream: TcpStream) -> Result<()> {
    set_socket_linger(&stream, Some(Duration::ZERO)).context("close with a reset")
}

/// Reads whatever comes until the other side is gone, and says how much.
pub fn read_out(stream: &mut BufReader<TcpStream>) -> Result<u64> {
    let mut len = 0;
    let mut chunk = vec![0; 1 << 16];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(len),
            Ok(read) => len += read as u64,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(len),
            Err(error) => return Err(error).context("read to the end"),
        }
    }
}

/// What curl is to send.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// GET, HEAD or POST.
    pub method: &'a str,
    /// As in the request line.
    pub path: &'a str,
    /// A header line, or nothing.
    pub header: &'a str,
}

impl<'a> From<(&'a str, &'a str)> for Request<'a> {
    /// Method and path.
    fn from((method, path): (&'a str, &'a str)) -> Self {
        Self {
            method,
            path,
            header: "",
        }
    }
}

impl<'a> Request<'a> {
    /// With a header line.
    #[must_use]
    pub fn with(self, header: &'a str) -> Self {
        Self { header, ..self }
    }
}

/// Sends requests one after the other with one curl.
pub fn curl(
    netns: &Netns,
    server: IpAddr,
    port: u16,
    requests: &[Request<'_>],
    close: bool,
) -> Result<()> {
    let host = match server {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let config = curl_config(&host, port, requests, close)?;
    let mut command = netns.command("curl");
    let mut curl = command
        .args(["--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("start curl")?;
    curl.stdin
        .take()
        .context("curl's input")?
        .write_all(config.as_bytes())?;
    let status = curl.wait()?;
    ensure!(status.success(), "curl: {status}");
    Ok(())
}

fn curl_config(host: &str, port: u16, requests: &[Request<'_>], close: bool) -> Result<String> {
    let mut config = String::new();
    for (number, request) in requests.iter().enumerate() {
        let Request {
            method,
            path,
            header,
        } = request;
        if number != 0 {
            config.push_str("next\n");
        }
        let how = match *method {
            "GET" => "",
            "HEAD" => "head\n",
            "POST" => "data = \"mac=52:54:00:00:00:01\"\n",
            other => bail!("no curl option for {other}"),
        };
        writeln!(
            config,
            "url = \"http://{host}:{port}{path}\"\noutput = /dev/null\nsilent\ngloboff\n{how}"
        )?;
        let close = if close { "Connection: close" } else { "" };
        for header in [*header, close].iter().filter(|header| !header.is_empty()) {
            writeln!(config, "header = \"{header}\"")?;
        }
    }
    Ok(config)
}
