//! How the line looks.

use std::time::Duration;

use super::{Led, Trail, Who};

impl Trail {
    pub(super) fn tell(&self) {
        let trace_id = self
            .context
            .as_ref()
            .map(|context| context.trace.trace_id_text());
        let answer = self.answer.as_ref();
        let cache = answer.and_then(|answer| answer.cache.as_ref());
        let asked = self.asked.as_ref();
        let took = answer.map_or_else(|| self.started.elapsed(), |answer| answer.took);
        let cut = answer.is_none_or(|answer| answer.cut);
        tracing::info!(
            target: "gateway::access_log",
            trace_id,
            request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok()),
            part = self.part.then_some(true),
            client = self.client.map(tracing::field::display),
            subject = self.subject(),
            route = self.route(),
            method = self.method.as_str(),
            // Queries may hold secrets.
            path = self.uri.path(),
            status = self.status().map(|status| status.as_u16()),
            micros = micros(took),
            micros_in_all = answer.map(|_| micros(self.started.elapsed())),
            bytes_in = self.received.as_ref().map(|received| received.bytes()),
            bytes_out = answer.and_then(|answer| answer.sent),
            broken_off = cut.then_some(true),
            upstream = asked.map(|(upstream, _)| &**upstream),
            server = asked.map(|(_, server)| &**server),
            attempts = (self.attempts > 0).then_some(self.attempts),
            cache = cache.and_then(|told| told.to_str().ok()?.strip_prefix("Rialto; ")),
            "a request"
        );
    }

    fn route(&self) -> Option<&str> {
        match &self.led {
            Led::Nowhere => None,
            Led::Shop => Some("shop"),
            Led::Route(route) => Some(&route.name),
        }
    }

    fn subject(&self) -> Option<String> {
        match &self.who {
            Who::Nobody => None,
            Who::Customer(id) => Some(id.to_string()),
            Who::Staff(id) => Some(id.to_string()),
            Who::Subject(identity) => Some(identity.subject.clone()),
        }
    }
}

pub(super) fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
