//! Asks a second server when the first takes long: the first good answer counts, the other request is
//! given up (Dean and Barroso, "The Tail at Scale", 2013).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::header::UPGRADE;
use http::request::Parts;
use http::{Method, Response};
use wire::client::{Added, ExchangeError};
use wire::{Body, turn};

use super::balance::Admission;
use super::send::{Sending, is_gateway_failure};
use super::{Member, Upstream};
use crate::table::{After, Hedge};

/// How a try has ended.
type Tried = Result<Response<Body>, ExchangeError>;

impl Upstream {
    /// Asks `first`, and somebody else as well if that takes long; returns the answer, and who else
    /// was asked.
    pub(super) async fn hedged(
        &self,
        members: &[Arc<Member>],
        first: &Admission<'_>,
        (parts, added): (&Parts, &dyn Added),
        hedge: Hedge,
        sending: Sending,
    ) -> (Tried, Option<usize>) {
        let begun = first.asked;
        let one = self.exchange(first, (parts, added), Body::empty(), true, sending);
        let mut one = pin!(one);
        let waited = match self.patience(hedge) {
            Some(patience) => tokio::time::timeout(patience, &mut one).await.ok(),
            None => Some(one.as_mut().await),
        };
        if let Some(result) = waited {
            self.learn(hedge, begun, &result);
            return (result, None);
        }
        let sending = Sending {
            begun: turn::now(),
            ..sending
        };
        let second = self.choose(members, &[first.index], sending.begun);
        // Whoever repeats too much, in whatever way, makes a bad day worse.
        let Some(second) = second.filter(|_| self.budget.spend()) else {
            let result = one.await;
            self.learn(hedge, begun, &result);
            return (result, None);
        };
        self.measures.hedged.inc();
        let two = pin!(self.exchange(&second, (parts, added), Body::empty(), true, sending));
        let (result, second_won) = match select(one, two).await {
            Either::Left((result, _)) if is_good(&result) => (result, false),
            Either::Left((_, two)) => (two.await, true),
            Either::Right((result, _)) if is_good(&result) => (result, true),
            Either::Right((_, one)) => (one.await, false),
        };
        if second_won && is_good(&result) {
            self.measures.hedge_won.inc();
            self.outrun(first, begun);
        }
        self.learn(hedge, begun, &result);
        (result, Some(second.index))
    }

    /// How long the first server is waited for; `None` as long as nobody knows what is usual.
    fn patience(&self, hedge: Hedge) -> Option<Duration> {
        match hedge.after {
            After::Fixed(after) => Some(after),
            After::P95 => self.usual.p95(),
        }
    }

    fn learn(&self, hedge: Hedge, begun: u64, result: &Tried) {
        if hedge.after == After::P95 && is_good(result) {
            self.usual.observe(self.now().saturating_sub(begun));
        }
    }

    /// Another server was faster: this one takes at least as long as it has taken by now. If that
    /// were not noted, only the fast answers of a slow server would count.
    fn outrun(&self, server: &Admission<'_>, begun: u64) {
        let now = self.now();
        server.guest.outrun(|| self.instant(now));
        server.member.outrun(now.saturating_sub(begun), now);
    }
}

/// Whether a request may be asked twice at once: that does no harm, and there is nothing to be read
/// twice. A key of idempotency is no leave: its second request would meet the first.
pub(super) fn may_be_hedged(parts: &Parts, body: &Body) -> bool {
    is_idempotent(&parts.method)
        && body.whole().is_some_and(<[u8]>::is_empty)
        && !parts.headers.contains_key(UPGRADE)
}

/// Idempotent methods (RFC 9110, section 9.2.2).
pub(crate) fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

fn is_good(result: &Tried) -> bool {
    matches!(result, Ok(response) if !is_gateway_failure(response.status()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    fn parts(method: Method) -> Parts {
        let mut request = Request::new(());
        *request.method_mut() = method;
        request.into_parts().0
    }

    #[test]
    fn only_what_does_no_harm_twice_is_asked_twice() {
        assert!(may_be_hedged(&parts(Method::GET), &Body::empty()));
        assert!(may_be_hedged(&parts(Method::DELETE), &Body::empty()));
        assert!(!may_be_hedged(&parts(Method::POST), &Body::empty()));
        assert!(!may_be_hedged(&parts(Method::PUT), &Body::full("document")));
        let mut keyed = parts(Method::POST);
        let key = HeaderValue::from_static("a key of sixteen");
        keyed.headers.insert("idempotency-key", key);
        assert!(!may_be_hedged(&keyed, &Body::empty()));
        let mut socket = parts(Method::GET);
        let protocol = HeaderValue::from_static("websocket");
        socket.headers.insert(UPGRADE, protocol);
        assert!(!may_be_hedged(&socket, &Body::empty()));
    }
}
