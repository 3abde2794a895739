//! What is stored: a head that is ready to be sent, and a body.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{
    AGE, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kernel::Timestamp;

use super::policy::Policy;
use super::status::CACHE_STATUS;
use super::vary::Selecting;

/// What an entry takes besides its bytes: the structures around them, as measured on 64 bits.
const OVERHEAD: usize = 512;
/// What a field takes besides its bytes.
const FIELD: usize = 96;

/// Fields that are of one connection, or that a cache must not keep (RFC 9111, section 3.1).
const NOT_KEPT: [HeaderName; 7] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Fields that a 304 does not change (RFC 9111, section 3.2).
const OF_THE_BODY: [HeaderName; 4] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
];

/// An answer without its body.
#[derive(Debug)]
pub(crate) struct Meta {
    pub(crate) status: StatusCode,
    /// With room for `Age` and `Cache-Status`, so that setting them moves nothing.
    pub(crate) head: HeaderMap,
    /// The `Age` that the upstream told.
    pub(crate) told_age: Option<HeaderValue>,
    /// The `Cache-Status` that the upstream told.
    pub(crate) told_status: Box<[HeaderValue]>,
    pub(crate) policy: Policy,
    pub(crate) selecting: Selecting,
    pub(crate) tags: Tags,
    /// How many purges there had been when the upstream was asked.
    pub(crate) birth: u64,
}

/// What an answer can be purged by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) hashes: Box<[u64]>,
    /// As texts, for the second level; without one, none.
    pub(crate) texts: Box<[String]>,
}

/// A stored answer.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) meta: Arc<Meta>,
    pub(crate) body: Bytes,
    /// How many purges this entry is known to have outlived.
    pub(crate) outlived: AtomicU64,
    /// When a soft purge made it stale, in microseconds.
    stopped: AtomicI64,
    /// Somebody is finding out whether it is still good.
    checking: AtomicBool,
    /// Until when nobody tries to find out, in microseconds.
    left_alone: AtomicI64,
}

/// The head of an answer, in memory of its own: what came over a connection would hold on to the
/// whole buffer that it was read into.
pub(crate) fn kept_head(headers: &HeaderMap, answered: Timestamp) -> HeaderMap {
    let named: Vec<&[u8]> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .collect();
    let kept = |name: &HeaderName| {
        let named = || {
            named
                .iter()
                .any(|n| n.eq_ignore_ascii_case(name.as_str().as_bytes()))
        };
        !NOT_KEPT.contains(name) && *name != CACHE_STATUS && *name != AGE && !named()
    };
    let fields = || headers.iter().filter(|(name, _)| kept(name));
    let mut values = Vec::with_capacity(fields().map(|(_, value)| value.len()).sum());
    fields().for_each(|(_, value)| values.extend_from_slice(value.as_bytes()));
    let mut values = Bytes::from(values);
    let mut head = HeaderMap::with_capacity(headers.len() + 3);
    for (name, value) in fields() {
        let value = values.split_to(value.len());
        if let Ok(value) = HeaderValue::from_maybe_shared(value) {
            head.append(name, value);
        }
    }
    head.entry(DATE).or_insert_with(|| {
        let date = httpdate::fmt_http_date(answered.into());
        HeaderValue::try_from(date).expect("letters and digits")
    });
    head.insert(AGE, HeaderValue::from_static("0"));
    head.insert(CACHE_STATUS, HeaderValue::from_static("Rialto"));
    head
}

/// The stored fields, updated by those of a 304 (RFC 9111, section 3.2).
pub(crate) fn freshened(stored: &HeaderMap, told: &HeaderMap) -> HeaderMap {
    let mut head = stored.clone();
    // These were of the earlier exchange.
    for name in [AGE, CACHE_STATUS, DATE] {
        head.remove(name);
    }
    let news = |name: &HeaderName| !OF_THE_BODY.contains(name);
    for name in told.keys().filter(|name| news(name)) {
        head.remove(name);
        for value in told.get_all(name) {
            head.append(name, value.clone());
        }
    }
    head
}

impl Meta {
    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let fields = self.head.iter();
        let head: usize = fields
            .map(|(name, value)| name.as_str().len() + value.len() + FIELD)
            .sum();
        let tags: usize = self.tags.texts.iter().map(|text| text.len() + 24).sum();
        OVERHEAD + head + self.selecting.bytes() + self.tags.hashes.len() * 8 + tags
    }
}

impl Entry {
    /// `body` is copied, as the head was.
    pub(crate) fn new(meta: Arc<Meta>, parts: &[Bytes]) -> Self {
        let mut body = Vec::with_capacity(parts.iter().map(Bytes::len).sum());
        parts.iter().for_each(|part| body.extend_from_slice(part));
        Self::with_body(meta, body.into())
    }

    /// `body` stays where it is.
    pub(crate) fn with_body(meta: Arc<Meta>, body: Bytes) -> Self {
        Self {
            outlived: AtomicU64::new(meta.birth),
            meta,
            body,
            stopped: AtomicI64::new(i64::MAX),
            checking: AtomicBool::new(false),
            left_alone: AtomicI64::new(i64::MIN),
        }
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.meta.bytes() + self.body.len()
    }

    /// When a soft purge made it stale.
    pub(crate) fn stopped(&self) -> Option<Timestamp> {
        let micros = self.stopped.load(Ordering::Relaxed);
        (micros != i64::MAX).then_some(Timestamp::from_micros(micros))
    }

    /// A soft purge has made it stale.
    pub(crate) fn stop(&self, at: Timestamp) {
        self.stopped.fetch_min(at.micros(), Ordering::Relaxed);
    }

    /// Begins to find out whether it is still good, unless somebody does or it is to be left alone.
    pub(crate) fn begin_check(&self, now: Timestamp) -> bool {
        !self.is_left_alone(now) && !self.checking.swap(true, Ordering::AcqRel)
    }

    /// Whoever began has found out, or given up.
    pub(crate) fn end_check(&self) {
        self.checking.store(false, Ordering::Release);
    }

    /// Its upstream has just failed.
    pub(crate) fn leave_alone(&self, until: Timestamp) {
        self.left_alone.store(until.micros(), Ordering::Relaxed);
    }

    /// Whether its upstream failed a moment ago.
    pub(crate) fn is_left_alone(&self, now: Timestamp) -> bool {
        now.micros() < self.left_alone.load(Ordering::Relaxed)
    }
}
