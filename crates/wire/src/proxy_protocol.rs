//! The PROXY protocol, versions 1 and 2, as HAProxy's specification describes it: a header before
//! everything else, by which a load balancer that does not speak HTTP tells who has connected.
//!
//! [`parse`] is pure and strict. Versions are told apart by their first bytes; nothing that only
//! looks like a header is passed on as data, because only trusted peers are listened to at all.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::BytesMut;
use tokio::io::AsyncReadExt;

use crate::stream::Stream;

/// How a header of version 1 begins.
const TEXT: &[u8] = b"PROXY ";
/// How a header of version 2 begins.
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest header of version 1, its line end included.
const LINE: usize = 107;
/// Bytes of a header of version 2 before its addresses.
const FIXED: usize = 16;
/// Longest header of version 2 that is read, extensions included: many times what any sender
/// writes (certificates of clients are not passed on by this protocol).
const LONGEST: usize = 4096;

/// What is parsed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// A header of `length` bytes; what comes after them is the connection's.
    Header {
        /// Its bytes.
        length: usize,
        /// Who connected; `None` if the sender speaks for itself (`LOCAL`), or does not know
        /// (`UNKNOWN`, `UNSPEC`), or names no internet address.
        source: Option<SocketAddr>,
    },
    /// More bytes are needed.
    Partial,
}

/// Why something is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAHeader {
    /// Neither version begins so.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// A header that does not keep to the specification.
    #[error("the PROXY header is malformed: {0}")]
    Syntax(&'static str),
    /// More than any sender needs.
    #[error("the PROXY header is too long")]
    TooLong,
}

/// Reads a header from the beginning of `bytes`.
pub fn parse(bytes: &[u8]) -> Result<Parsed, NotAHeader> {
    let begins = |with: &[u8]| {
        let common = with.len().min(bytes.len());
        bytes[..common] == with[..common]
    };
    if begins(TEXT) {
        text(bytes)
    } else if begins(BINARY) {
        binary(bytes)
    } else {
        Err(NotAHeader::Missing)
    }
}

fn text(bytes: &[u8]) -> Result<Parsed, NotAHeader> {
    let within = &bytes[..bytes.len().min(LINE)];
    let Some(end) = memchr::memchr(b'\n', within) else {
        return if bytes.len() < LINE {
            Ok(Parsed::Partial)
        } else {
            Err(NotAHeader::TooLong)
        };
    };
    let line = std::str::from_utf8(&bytes[..end]).ok();
    let line = line.and_then(|line| line.strip_prefix("PROXY ")?.strip_suffix('\r'));
    let line = line.ok_or(NotAHeader::Syntax("the line"))?;
    let header = |source| Parsed::Header {
        length: end + 1,
        source,
    };
    // Whatever follows UNKNOWN means nothing.
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Ok(header(None));
    }
    let words: Vec<&str> = line.split(' ').collect();
    let [family, source, destination, source_port, destination_port] = words[..] else {
        return Err(NotAHeader::Syntax("five words are needed"));
    };
    let wrong = NotAHeader::Syntax("an address does not fit the family");
    let (source, _) = match family {
        "TCP4" => (ipv4(source), ipv4(destination)),
        "TCP6" => (ipv6(source), ipv6(destination)),
        _ => return Err(NotAHeader::Syntax("the family is not known")),
    }
    .both()
    .ok_or(wrong)?;
    let (port, _) = (port(source_port), port(destination_port))
        .both()
        .ok_or(NotAHeader::Syntax("a port is no number up to 65535"))?;
    Ok(header(Some((source, port).into())))
}

fn binary(bytes: &[u8]) -> Result<Parsed, NotAHeader> {
    let Some(fixed) = bytes.get(..FIXED) else {
        return Ok(Parsed::Partial);
    };
    let (command, family) = (fixed[12], fixed[13]);
    if command >> 4 != 2 {
        return Err(NotAHeader::Syntax("the version is not 2"));
    }
    let (local, known) = (command & 0xf == 0, command & 0xf <= 1);
    if !known {
        return Err(NotAHeader::Syntax("the command is neither LOCAL nor PROXY"));
    }
    if family >> 4 > 3 || family & 0xf > 2 {
        return Err(NotAHeader::Syntax("the family is not known"));
    }
    let length = FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > LONGEST {
        return Err(NotAHeader::TooLong);
    }
    let Some(header) = bytes.get(..length) else {
        return Ok(Parsed::Partial);
    };
    let short = NotAHeader::Syntax("too short for its addresses");
    // Extensions follow the addresses; nothing here needs them.
    let source = match family {
        _ if local => None,
        0x11 => {
            let (addresses, _) = header[FIXED..].split_first_chunk::<12>().ok_or(short)?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *addresses;
            let port = u16::from_be_bytes([high, low]);
            Some((Ipv4Addr::new(a, b, c, d), port).into())
        }
        0x21 => {
            let (addresses, _) = header[FIXED..].split_first_chunk::<36>().ok_or(short)?;
            let (address, rest) = addresses.split_first_chunk::<16>().ok_or(short)?;
            let port = u16::from_be_bytes([rest[16], rest[17]]);
            Some((Ipv6Addr::from(*address), port).into())
        }
        // A datagram, a local socket, or nothing: not what this connection is.
        _ => None,
    };
    Ok(Parsed::Header { length, source })
}

/// Both or nothing.
trait Both<A, B> {
    fn both(self) -> Option<(A, B)>;
}

impl<A, B> Both<A, B> for (Option<A>, Option<B>) {
    fn both(self) -> Option<(A, B)> {
        Some((self.0?, self.1?))
    }
}

fn ipv4(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(IpAddr::V4)
}

fn ipv6(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(IpAddr::V6)
}

/// Digits without a leading zero.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading = text.len() > 1 && text.starts_with('0');
    text.parse().ok().filter(|_| plain && !leading)
}

/// Reads the header off a connection: who connected, if the header says so, and the connection
/// behind it. Whoever calls sets the deadline.
pub async fn accept(mut stream: Stream) -> io::Result<(Stream, Option<SocketAddr>)> {
    let mut read = BytesMut::with_capacity(256);
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match parse(&read) {
            Ok(Parsed::Partial) => {}
            Ok(Parsed::Header { length, source }) => {
                let rest = read.split_off(length).freeze();
                return Ok((stream.after(rest), source));
            }
            Err(wrong) => return Err(io::Error::new(io::ErrorKind::InvalidData, wrong)),
        }
    }
}

#[cfg(test)]
mod tests;
