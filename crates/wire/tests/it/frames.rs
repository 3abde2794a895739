//! A client of HTTP/2 that writes each frame itself, and so can write what no library would.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// CANCEL and ENHANCE_YOUR_CALM (RFC 9113, section 7).
pub(crate) const CANCEL: u32 = 8;
pub(crate) const CALM: u32 = 11;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Which error it tells of, if it does.
    pub(crate) fn error(&self) -> Option<u32> {
        let code = match self.kind {
            RST_STREAM => &self.payload[..4],
            GOAWAY => &self.payload[4..8],
            _ => return None,
        };
        Some(u32::from_be_bytes(code.try_into().expect("four bytes")))
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The fields of `GET path`, in HPACK without compression.
pub(crate) fn get(path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).expect("short");
    let mut fields = vec![0x82, 0x86, 0x04, length];
    fields.extend_from_slice(path.as_bytes());
    fields.extend_from_slice(b"\x01\x01x");
    fields
}

/// One field, in HPACK without compression.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        let mut length = text.len();
        if length < 127 {
            field.push(length as u8);
        } else {
            field.push(127);
            length -= 127;
            while length >= 128 {
                field.push((length % 128) as u8 | 128);
                length /= 128;
            }
            field.push(length as u8);
        }
        field.extend_from_slice(text.as_bytes());
    }
    field
}

/// The connection.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
}

impl Raw {
    /// Begins with these settings.
    pub(crate) async fn begin(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.set_nodelay(true).expect("a socket");
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
        let begin = [preface, &frame(SETTINGS, 0, 0, &payload)].concat();
        stream.write_all(&begin).await.expect("writes");
        Self { stream }
    }

    /// Sends these bytes; whether the server still takes them.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        let sending = tokio::time::timeout(Duration::from_secs(20), self.stream.write_all(bytes));
        sending.await.is_ok_and(|sent| sent.is_ok())
    }

    pub(crate) async fn get(&mut self, stream: u32, path: &str) -> bool {
        let request = frame(HEADERS, END_HEADERS | END_STREAM, stream, &get(path));
        self.send(&request).await
    }

    /// The next frame; `None` when the server has closed.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, d, e, f, g] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes([d, e, f, g]),
            payload,
        })
    }

    /// The next frame that `wanted` wants.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// Reads until the server has closed, and returns the last frame before.
    pub(crate) async fn ends(&mut self) -> Option<Frame> {
        let reading = async {
            let mut last = None;
            while let Some(frame) = self.next().await {
                last = Some(frame);
            }
            last
        };
        let ended = tokio::time::timeout(Duration::from_secs(200), reading).await;
        ended.expect("the server ends the connection")
    }

    /// Sends `flood` over and over, reading nothing, until the server takes no more; how many bytes
    /// went out, at most about `limit`.
    pub(crate) async fn flood(&mut self, flood: &[u8], limit: usize) -> usize {
        let mut sent = 0;
        while sent < limit && self.send(flood).await {
            sent += flood.len();
        }
        sent
    }
}
