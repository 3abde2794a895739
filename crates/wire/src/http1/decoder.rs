//! Bodies, whichever way they end.

use bytes::Bytes;
use http::HeaderMap;

use super::chunked::{Chunked, Piece};
use super::{Framing, Malformed};

/// Where the reading of a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoder {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Decoded {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    NeedsMore,
}

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::Size),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Nothing is left to be read.
    pub(crate) const fn done() -> Self {
        Self::Length(0)
    }

    pub(crate) fn is_done(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunked::Done))
    }

    /// Bytes that are still to come, if that is known.
    pub(crate) fn left(self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(left),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// Takes what it can from the start of `buffer`.
    pub(crate) fn decode(&mut self, buffer: &mut Bytes) -> Result<Decoded, Malformed> {
        match self {
            Self::Length(0) => Ok(Decoded::End),
            Self::Length(_) | Self::UntilClose if buffer.is_empty() => Ok(Decoded::NeedsMore),
            Self::UntilClose => Ok(Decoded::Data(std::mem::take(buffer))),
            Self::Length(left) => {
                let here = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len());
                *left -= here as u64;
                Ok(Decoded::Data(buffer.split_to(here)))
            }
            Self::Chunked(chunked) => Ok(match chunked.decode(buffer)? {
                Piece::Data(data) => Decoded::Data(data),
                Piece::Trailers(trailers) => Decoded::Trailers(trailers),
                Piece::End => Decoded::End,
                Piece::NeedsMore => Decoded::NeedsMore,
            }),
        }
    }

    /// The connection has closed: whether that is how the body was to end.
    pub(crate) fn may_end(self) -> bool {
        self == Self::UntilClose || self.is_done()
    }
}
