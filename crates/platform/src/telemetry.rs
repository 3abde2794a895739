//! Logs and traces. Metrics are in [`metrics`](crate::metrics).

use std::fmt;
use std::io::IsTerminal;
use std::ops::Range;
use std::str::FromStr;

use http::HeaderValue;
use kernel::Sources;
use tracing_subscriber::EnvFilter;

/// A position in a distributed trace (W3C Trace Context, `traceparent` version 00).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// Names the whole trace; never zero.
    pub trace_id: u128,
    /// Names the span that this belongs to; never zero.
    pub span_id: u64,
    /// Whether the caller records it.
    pub sampled: bool,
}

impl TraceContext {
    /// The root of a new trace.
    pub fn root(sources: &Sources) -> Self {
        let bytes: [u8; 24] = sources.random();
        let (trace, span) = bytes.split_at(16);
        Self {
            trace_id: u128::from_be_bytes(trace.try_into().expect("sixteen bytes")).max(1),
            span_id: u64::from_be_bytes(span.try_into().expect("eight bytes")).max(1),
            sampled: true,
        }
    }

    /// A new span in the same trace.
    pub fn child(self, sources: &Sources) -> Self {
        Self {
            span_id: u64::from_be_bytes(sources.random()).max(1),
            ..self
        }
    }

    /// The trace id in hexadecimal, as logs and problems show it.
    pub fn trace_id_text(self) -> String {
        String::from_utf8_lossy(self.text().trace_id()).into_owned()
    }

    /// The value of `traceparent`.
    pub fn traceparent(self) -> HeaderValue {
        HeaderValue::from_bytes(self.text().whole()).expect("hexadecimal and dashes")
    }

    /// The same as text. Every request has it: a formatter would cost more than all else that is done for
    /// its trace.
    pub fn text(self) -> TraceText {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut text[TRACE_ID], &self.trace_id.to_be_bytes());
        write_hex(&mut text[SPAN_ID], &self.span_id.to_be_bytes());
        write_hex(&mut text[FLAGS], &[u8::from(self.sampled)]);
        TraceText(text)
    }
}

/// A [`TraceContext`] as text.
#[derive(Debug, Clone, Copy)]
pub struct TraceText([u8; TEXT]);

impl TraceText {
    /// The value of `traceparent`.
    pub const fn whole(&self) -> &[u8] {
        &self.0
    }

    /// The digits of the trace id.
    pub fn trace_id(&self) -> &[u8] {
        &self.0[TRACE_ID]
    }
}

/// Bytes of a `traceparent`, and where its parts stand.
const TEXT: usize = 55;
const TRACE_ID: Range<usize> = 3..35;
const SPAN_ID: Range<usize> = 36..52;
const FLAGS: Range<usize> = 53..55;

/// Writes two digits for each byte.
fn write_hex(digits: &mut [u8], bytes: &[u8]) {
    for (digits, byte) in digits.as_chunks_mut().0.iter_mut().zip(bytes) {
        *digits = HEX[usize::from(*byte)];
    }
}

/// The digits of each byte.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (mut all, mut byte) = ([[0; 2]; 256], 0);
    while byte < 256 {
        all[byte] = [DIGITS[byte >> 4], DIGITS[byte & 0xf]];
        byte += 1;
    }
    all
};

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text().whole()))
    }
}

/// The text is not a `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent")]
pub struct NotTraceparent;

impl FromStr for TraceContext {
    type Err = NotTraceparent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = |part: &str, length: usize| {
            let lower = part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            (part.len() == length && lower)
                .then(|| u128::from_str_radix(part, 16).ok())
                .flatten()
                .ok_or(NotTraceparent)
        };
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(NotTraceparent);
        let version = hex(next()?, 2)?;
        let trace_id = hex(next()?, 32)?;
        let span_id = hex(next()?, 16)?;
        let flags = hex(next()?, 2)?;
        // Later versions may append fields; version 00 has four.
        let well_formed = version != 0xff && (version != 0 || parts.next().is_none());
        let span_id = u64::try_from(span_id).map_err(|_| NotTraceparent)?;
        if !well_formed || trace_id == 0 || span_id == 0 {
            return Err(NotTraceparent);
        }
        Ok(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
        })
    }
}

kernel::text_enum! {
    /// How log lines look.
    pub enum LogFormat {
        /// Pretty on a terminal, JSON otherwise.
        Auto = "auto",
        /// For people.
        Pretty = "pretty",
        /// One JSON object per line.
        Json = "json",
    }
}

/// Starts logging to standard error. `filter` is in the syntax of `tracing-subscriber`:
/// `info,rialto_order=debug`. Does nothing if logging was started before.
pub fn start_logging(format: LogFormat, filter: &str) {
    let filter = EnvFilter::builder().parse_lossy(filter);
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let pretty = match format {
        LogFormat::Auto => terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let started = if pretty {
        lines.with_ansi(terminal).with_target(false).try_init()
    } else {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_traceparent() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace: TraceContext = text.parse().expect("valid");
        assert_eq!(trace.to_string(), text);
        assert!(trace.sampled);
    }

    #[test]
    fn refuses_what_the_specification_refuses() {
        for text in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(NotTraceparent), "{text}");
        }
    }
}
