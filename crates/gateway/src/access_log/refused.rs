//! Lines for what never became a request: its head was too long, or could not be read.

use std::fmt;
use std::net::IpAddr;

use kernel::Sources;
use platform::http::entry::named_id;
use platform::http::refused::{Refused, Watch};
use platform::telemetry::TraceContext;
use wire::network::Networks;

use super::line::micros;
use crate::Config;
use crate::client_address::{self, Forwarding};
use crate::live::Live;

/// Bytes of a path that are told: what is refused for its length is as long as a client likes.
const PATH: usize = 1024;

/// Tells what is refused at the listener, as the present table says. It is all the fault of clients,
/// who can have it refused as fast as they can send: only the sample decides, whatever the status.
pub(crate) struct RefusedLog {
    live: Live,
    sources: Sources,
    trusted: Networks,
    forwarding: Forwarding,
}

impl fmt::Debug for RefusedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefusedLog")
    }
}

impl RefusedLog {
    pub(crate) fn new(config: &Config, live: Live, sources: Sources) -> Self {
        Self {
            live,
            sources,
            trusted: config.trusted.clone(),
            forwarding: config.forwarded,
        }
    }

    /// Where it came from: whom a trusted proxy names, if its head could be read.
    fn client(&self, refused: &Refused<'_>) -> Option<IpAddr> {
        let connection = refused.connection?;
        let peer = connection.peer.ip().to_canonical();
        let Some(asked) = refused.asked.filter(|_| self.trusted.contain(peer)) else {
            return Some(peer);
        };
        let mut headers = asked.request.headers().clone();
        let (trusted, forwarding) = (&self.trusted, self.forwarding);
        // Whom it is for is told nobody.
        let origin = client_address::take(&mut headers, None, &connection, trusted, forwarding);
        origin.ok().map(|origin| origin.client)
    }
}

impl Watch for RefusedLog {
    fn refused(&self, refused: &Refused<'_>) {
        let Some(log) = self.live.present().access_log() else {
            return;
        };
        let asked = refused.asked;
        // Without a head there is no trace: the lot is drawn here.
        let trace = asked.map(|asked| asked.context.trace);
        let lot = trace.unwrap_or_else(|| TraceContext::root(&self.sources));
        if !log.sample.has(lot.trace_id) {
            return;
        }
        let request = asked.map(|asked| asked.request);
        let named = request.and_then(|request| named_id(request.headers()));
        tracing::info!(
            target: "gateway::access_log",
            trace_id = trace.map(TraceContext::trace_id_text),
            request_id = named.and_then(|id| id.to_str().ok()),
            client = self.client(refused).map(tracing::field::display),
            method = request.map(|request| request.method().as_str()),
            path = request.map(|request| start(request.uri().path())),
            status = refused.status.as_u16(),
            micros = asked.map(|asked| micros(asked.took)),
            "a request"
        );
    }
}

/// As much of a path as is told.
fn start(path: &str) -> &str {
    let mut end = path.len().min(PATH);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    &path[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_up_to_a_length() {
        assert_eq!(start("/short"), "/short");
        assert_eq!(start(&"/".repeat(PATH + 1)).len(), PATH);
        let wide = format!("{}\u{e9}", "/".repeat(PATH - 1));
        assert_eq!(start(&wide).len(), PATH - 1, "no half of a character");
    }
}
