//! Which answers may be stored, and when a stored one may be used: RFC 9111, sections 3 and 4, and
//! RFC 5861, as rules without any I/O.

use std::time::{Duration, SystemTime};

use http::header::{AGE, DATE, ETAG, EXPIRES, LAST_MODIFIED, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, StatusCode};
use kernel::Timestamp;

use super::directives::{Directives, seconds};

/// Statuses that this cache understands; all but the last ones may be given a heuristic lifetime
/// (RFC 9110, section 15.1).
const UNDERSTOOD: [u16; 15] = [
    200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501, 302, 303, 307, 451,
];
const HEURISTIC: usize = 11;

/// What the route says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    pub(crate) heuristic: Duration,
    pub(crate) while_revalidate: Duration,
    pub(crate) if_error: Duration,
    pub(crate) store_set_cookie: bool,
}

/// When an upstream was asked, and when it answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) asked: Timestamp,
    pub(crate) answered: Timestamp,
    /// Whether the request carried `Authorization`.
    pub(crate) authorized: bool,
}

/// How long a stored answer may be used, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    /// When it would have been made, going by its age.
    pub(crate) born: Timestamp,
    pub(crate) lifetime: Duration,
    while_revalidate: Duration,
    if_error: Duration,
    /// It must be checked before each use.
    no_cache: bool,
    /// It may not be used stale, whatever the client would take.
    strict: bool,
    /// It may answer requests with `Authorization` (RFC 9111, section 3.5).
    pub(crate) shareable: bool,
}

/// How a stored answer may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it is.
    Fresh,
    /// As it is, though it is stale: the client takes it.
    Stale,
    /// As it is, while it is checked for those who come later.
    WhileRevalidated,
    /// Only after the upstream has said that it is still good.
    Validate,
}

impl Policy {
    /// The policy of an answer; why it may not be stored, where it may not.
    pub(crate) fn of(
        status: StatusCode,
        headers: &HeaderMap,
        timing: Timing,
        rules: &Rules,
    ) -> Result<Self, &'static str> {
        let (told, targeted) = Directives::of_answer(headers);
        let understood = UNDERSTOOD.iter().position(|known| *known == status);
        let Some(understood) = understood else {
            return Err("status");
        };
        if told.no_store && !told.must_understand {
            return Err("no-store");
        }
        if told.private {
            return Err("private");
        }
        let shareable = told.public || told.s_maxage.is_some() || told.must_revalidate;
        if timing.authorized && !shareable {
            return Err("authorization");
        }
        if headers.contains_key(SET_COOKIE) && !rules.store_set_cookie {
            return Err("set-cookie");
        }
        if headers.get_all(VARY).iter().any(any_of_all) {
            return Err("vary");
        }
        let explicit = explicit_lifetime(&told, targeted, headers, timing.answered);
        let heuristic = || {
            let allowed = understood < HEURISTIC && !told.no_cache;
            allowed.then(|| heuristic_lifetime(headers, timing.answered, rules.heuristic))?
        };
        let lifetime = explicit.or_else(heuristic);
        let grant = |seconds: Option<u32>| seconds.map(|s| Duration::from_secs(s.into()));
        let strict = told.must_revalidate || told.proxy_revalidate;
        // `s-maxage` implies `proxy-revalidate`, except where the answer itself allows more.
        let by_default = |duration| {
            if told.s_maxage.is_some() {
                Duration::ZERO
            } else {
                duration
            }
        };
        let policy = Self {
            born: timing.answered.minus(age(headers, timing)),
            lifetime: lifetime.unwrap_or_default(),
            while_revalidate: grant(told.stale_while_revalidate)
                .unwrap_or_else(|| by_default(rules.while_revalidate)),
            if_error: grant(told.stale_if_error).unwrap_or_else(|| by_default(rules.if_error)),
            no_cache: told.no_cache,
            strict: strict || (told.s_maxage.is_some() && grants_none(&told)),
            shareable,
        };
        let checkable = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
        match lifetime {
            None if told.no_cache && checkable => Ok(policy),
            None => Err("no-lifetime"),
            Some(Duration::ZERO) if !checkable && !policy.lasts() => Err("no-lifetime"),
            Some(_) if told.no_cache && !checkable => Err("no-cache"),
            Some(_) => Ok(policy),
        }
    }

    fn lasts(&self) -> bool {
        !self.strict && (self.while_revalidate > Duration::ZERO || self.if_error > Duration::ZERO)
    }

    /// Whether several requests may share it at all without asking for each.
    pub(crate) fn collapses(&self) -> bool {
        !self.no_cache && self.lifetime > Duration::ZERO
    }

    /// The age of the answer (RFC 9111, section 4.2.3).
    pub(crate) fn age(&self, now: Timestamp) -> Duration {
        now.since(self.born)
    }

    /// When it stops being fresh; a soft purge may have stopped it before.
    pub(crate) fn fresh_until(&self, stopped: Option<Timestamp>) -> Timestamp {
        let end = self.born.plus(self.lifetime);
        stopped.map_or(end, |stopped| stopped.min(end))
    }

    /// How the answer may be used now for a request that says `asks`.
    pub(crate) fn verdict(
        &self,
        now: Timestamp,
        stopped: Option<Timestamp>,
        asks: &Directives,
    ) -> Verdict {
        if self.no_cache || asks.no_cache {
            return Verdict::Validate;
        }
        let seconds = |s: u32| Duration::from_secs(s.into());
        let age = self.age(now);
        let too_old = asks.max_age.is_some_and(|max| age > seconds(max));
        let until = self.fresh_until(stopped);
        let spare = asks.min_fresh.map_or(Duration::ZERO, seconds);
        let fresh = now.plus(spare) < until;
        if fresh {
            return if too_old {
                Verdict::Validate
            } else {
                Verdict::Fresh
            };
        }
        if self.strict || too_old || asks.min_fresh.is_some() {
            return Verdict::Validate;
        }
        let staleness = now.since(until);
        if asks.max_stale.is_some_and(|max| staleness <= seconds(max)) {
            return Verdict::Stale;
        }
        if staleness < self.while_revalidate {
            return Verdict::WhileRevalidated;
        }
        Verdict::Validate
    }

    /// Whether the answer may stand in for an upstream that fails.
    pub(crate) fn stands_in(
        &self,
        now: Timestamp,
        stopped: Option<Timestamp>,
        asks: &Directives,
    ) -> bool {
        let asked = asks.stale_if_error.map(|s| Duration::from_secs(s.into()));
        let window = asked.unwrap_or(self.if_error);
        let allowed = !self.strict && !self.no_cache && !asks.no_cache;
        allowed && now.since(self.fresh_until(stopped)) < window
    }

    /// How long the answer can be of use at all, from `now` on.
    pub(crate) fn keeps(&self, now: Timestamp) -> Duration {
        let after = self.while_revalidate.max(self.if_error);
        self.born.plus(self.lifetime + after).since(now)
    }
}

fn any_of_all(value: &http::HeaderValue) -> bool {
    value
        .as_bytes()
        .split(|b| *b == b',')
        .any(|name| name.trim_ascii() == b"*")
}

fn grants_none(told: &Directives) -> bool {
    told.stale_while_revalidate.is_none() && told.stale_if_error.is_none()
}

/// RFC 9111, section 4.2.1.
fn explicit_lifetime(
    told: &Directives,
    targeted: bool,
    headers: &HeaderMap,
    answered: Timestamp,
) -> Option<Duration> {
    if let Some(seconds) = told.s_maxage.or(told.max_age) {
        return Some(Duration::from_secs(seconds.into()));
    }
    if targeted || !headers.contains_key(EXPIRES) {
        return None;
    }
    // A date that cannot be read has passed; several are one that cannot be read.
    if headers.get_all(EXPIRES).iter().count() > 1 {
        return Some(Duration::ZERO);
    }
    let date = date(headers, DATE).unwrap_or(answered);
    Some(date_until(headers, EXPIRES, date))
}

fn date_until(headers: &HeaderMap, name: HeaderName, since: Timestamp) -> Duration {
    date(headers, name).map_or(Duration::ZERO, |end| end.since(since))
}

/// A tenth of the time since the last change (RFC 9111, section 4.2.2).
fn heuristic_lifetime(
    headers: &HeaderMap,
    answered: Timestamp,
    most: Duration,
) -> Option<Duration> {
    let changed = date(headers, LAST_MODIFIED).filter(|_| most > Duration::ZERO)?;
    let date = date(headers, DATE).unwrap_or(answered);
    Some((date.since(changed) / 10).min(most))
}

/// RFC 9111, section 4.2.3, at the moment of the answer.
fn age(headers: &HeaderMap, timing: Timing) -> Duration {
    let apparent = date(headers, DATE).map_or(Duration::ZERO, |date| timing.answered.since(date));
    let told = headers.get(AGE).and_then(|value| value.to_str().ok());
    let told = told.and_then(|text| seconds(text.split(',').next()?.trim()));
    let told = Duration::from_secs(told.unwrap_or(0).into());
    apparent.max(told + timing.answered.since(timing.asked))
}

/// A date of HTTP.
pub(crate) fn date(headers: &HeaderMap, name: HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    let time: SystemTime = httpdate::parse_http_date(text).ok()?;
    Some(time.into())
}

#[cfg(test)]
mod tests;
