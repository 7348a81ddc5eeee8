//! Clients: plain sockets where a test must hold them still, curl where it must not.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

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

/// Sends a GET that closes the connection behind its answer, and reads nothing.
pub fn ask(address: SocketAddr, path: &str) -> Result<TcpStream> {
    let mut stream =
        TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )?;
    Ok(stream)
}

/// What curl is to send: method and path.
pub type Request<'a> = (&'a str, &'a str);

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
    let mut config = String::new();
    for (number, (method, path)) in requests.iter().enumerate() {
        if number != 0 {
            config.push_str("next\n");
        }
        let how = match *method {
            "GET" => "",
            "HEAD" => "head\n",
            "POST" => "data = \"mac=52:54:00:00:00:01\"\n",
            other => anyhow::bail!("no curl option for {other}"),
        };
        let close = if close {
            "header = \"Connection: close\"\n"
        } else {
            ""
        };
        writeln!(
            config,
            "url = \"http://{host}:{port}{path}\"\noutput = /dev/null\nsilent\ngloboff\n{how}{close}"
        )?;
    }
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
