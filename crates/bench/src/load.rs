//! A load generator that leaves the cores to what it measures: one thread, prepared requests, no
//! allocation for each.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One HTTP/1.1 connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    host: String,
    /// How long each request took.
    micros: Vec<u32>,
}

/// An answer, as far as a load test looks.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(64 * 1024),
            host: address.to_string(),
            micros: Vec::with_capacity(100_000),
        })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> anyhow::Result<Answer<'_>> {
        let host = &self.host;
        let request = if body.is_empty() {
            format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n")
        } else {
            let length = body.len();
            format!(
                "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\n{headers}\r\n{body}"
            )
        };
        self.send_prepared(request.as_bytes()).await
    }

    /// Sends a request that was put together before.
    pub(crate) async fn send_prepared(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        let begun = Instant::now();
        self.stream.write_all(request).await?;
        let (status, body) = self.receive().await?;
        let took = begun.elapsed().as_micros();
        self.micros.push(u32::try_from(took).unwrap_or(u32::MAX));
        let body = &self.buffer[body];
        Ok(Answer { status, body })
    }

    /// A request without a body, put together.
    pub(crate) fn prepare(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host).into_bytes()
    }

    /// The status, and where in the buffer the body is.
    async fn receive(&mut self) -> anyhow::Result<(u16, Range<usize>)> {
        self.buffer.clear();
        let head = loop {
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the server closed the connection");
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head])?;
        let status: u16 = text
            .get(9..12)
            .and_then(|code| code.parse().ok())
            .context("a status")?;
        let length = match header(text, "content-length") {
            Some(length) => length.parse::<usize>()?,
            None if status == 204 || status == 304 => 0,
            None => bail!("the answer has no content-length:\n{text}"),
        };
        while self.buffer.len() < head + length {
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the server closed the connection within a body");
        }
        Ok((status, head..head + length))
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The text of a string field in a flat place of a JSON body, found without parsing it all.
pub(crate) fn text_field<'a>(body: &'a [u8], field: &str) -> anyhow::Result<&'a str> {
    let text = std::str::from_utf8(body)?;
    let key = format!("\"{field}\":\"");
    let start = text
        .find(&key)
        .with_context(|| format!("no {field} in {text}"))?
        + key.len();
    let end = text[start..].find('"').context("an unfinished string")?;
    Ok(&text[start..start + end])
}

/// What a run measured.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Things done.
    pub(crate) count: u64,
    /// How long it took.
    pub(crate) took: Duration,
    /// How long each request took, sorted, in microseconds; a thing may take several.
    pub(crate) micros: Vec<u32>,
}

impl Measured {
    /// Things done in a second.
    pub(crate) fn rate(&self) -> u64 {
        let micros = self.took.as_micros().max(1);
        u64::try_from(u128::from(self.count) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }

    /// The time within which `percent` of the requests were answered, in microseconds.
    pub(crate) fn percentile(&self, percent: usize) -> u32 {
        let last = self.micros.len().saturating_sub(1);
        let index = (self.micros.len() * percent / 100).min(last);
        self.micros.get(index).copied().unwrap_or(0)
    }
}

/// Runs `work` over and over on each of the connections for `duration`; each run is one thing. It
/// gets the connection, its number, and how often it was run on it before.
pub(crate) async fn run<W>(
    connections: &mut [Connection],
    duration: Duration,
    work: W,
) -> anyhow::Result<Measured>
where
    W: AsyncFn(&mut Connection, usize, u64) -> anyhow::Result<()>,
{
    let started = Instant::now();
    let work = &work;
    let loops = connections
        .iter_mut()
        .enumerate()
        .map(|(number, connection)| async move {
            connection.micros.clear();
            let mut round = 0;
            while started.elapsed() < duration {
                work(connection, number, round).await?;
                round += 1;
            }
            Ok::<_, anyhow::Error>((round, &connection.micros))
        });
    let runs = futures_util::future::try_join_all(loops).await?;
    let took = started.elapsed();
    let count = runs.iter().map(|(rounds, _)| rounds).sum();
    let mut micros: Vec<u32> = runs.into_iter().flat_map(|(_, of)| of).copied().collect();
    micros.sort_unstable();
    Ok(Measured {
        count,
        took,
        micros,
    })
}

/// As many connections as the load comes on.
pub(crate) async fn connect(
    address: SocketAddr,
    connections: usize,
) -> anyhow::Result<Vec<Connection>> {
    let opening = (0..connections).map(|_| Connection::open(address));
    futures_util::future::try_join_all(opening).await
}
