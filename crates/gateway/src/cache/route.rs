//! What one route does with the store: what it looks up, what it keeps, and how it answers.

use std::cell::RefCell;
use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body::Body as _;
use kernel::Timestamp;
use platform::metrics::Tally;
use wire::Body;

use super::answer::answer;
use super::conditional::Heeded;
use super::directives::Directives;
use super::entry::{Entry, Meta, Tags, kept_head};
use super::key::{Key, Keyer, Target, host};
use super::policy::{Policy, Rules, Timing, Verdict};
use super::second::EVERYTHING;
use super::status::{Forward, hit};
use super::store::Lookup;
use super::vary::Selecting;
use super::{CacheSettings, Shared};
use crate::identity::Identity;

pub(crate) const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
pub(crate) const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");

/// An answer with more tags is not stored: it could not be purged by all of them.
const TAGS: usize = 256;

pub(crate) struct Route {
    pub(crate) shared: Arc<Shared>,
    pub(crate) settings: CacheSettings,
    pub(crate) rules: Rules,
    pub(crate) keyer: Keyer,
    pub(crate) metrics: RouteMetrics,
}

/// The metrics of one route, looked up once.
pub(crate) struct RouteMetrics {
    pub(crate) hits: Tally,
    pub(crate) misses: Tally,
    pub(crate) revalidations: Tally,
    pub(crate) stale: Tally,
}

/// What the store has for a request.
pub(crate) enum Look {
    /// The answer.
    Answer(Response<Body>),
    /// The answer, and what is to be checked meanwhile.
    Refresh(Response<Body>, Key, Arc<Entry>),
    /// The upstream has to be asked.
    Ask(Ask),
}

/// Why and how the upstream is asked.
pub(crate) struct Ask {
    pub(crate) key: Key,
    pub(crate) forward: Forward,
    /// What is stored, but has to be checked.
    pub(crate) stored: Option<Arc<Entry>>,
    pub(crate) asks: Directives,
    pub(crate) authorized: bool,
    pub(crate) manner: Manner,
}

/// How far the cache takes part in asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Others may wait for the answer, and it may be stored.
    Together,
    /// The answer may be stored.
    Alone,
    /// The request goes on as it is, and so does the answer.
    Through(&'static str),
}

thread_local! {
    /// Where keys are written for looking them up.
    static KEY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Whether the answer may be for this caller only, if it does not say otherwise (RFC 9111, section
/// 3.5). Whoever the gateway has let in by another credential counts like one with `Authorization`.
pub(crate) fn is_authorized(heeded: Heeded, extensions: &Extensions) -> bool {
    heeded.credentials || extensions.get::<Arc<Identity>>().is_some()
}

impl Route {
    /// Looks up a GET or a HEAD.
    pub(crate) fn look(&self, request: &Request<Body>) -> Look {
        KEY.with_borrow_mut(|key| {
            Target::with(request.uri(), request.headers(), |target| {
                self.keyer.write(key, target, request.headers());
            });
            self.look_under(key, request)
        })
    }

    fn look_under(&self, key: &[u8], request: &Request<Body>) -> Look {
        let headers = request.headers();
        let heeded = Heeded::of(headers);
        let asks = if self.settings.client_directives && heeded.directives {
            Directives::of(headers)
        } else {
            Directives::default()
        };
        let authorized = is_authorized(heeded, request.extensions());
        let through = passes_through(request, heeded, &asks);
        let mut ask = Ask {
            key: Key::default(),
            forward: Forward::Bypass,
            stored: None,
            asks,
            authorized,
            manner: through.map_or(Manner::Together, Manner::Through),
        };
        let lookup = match through {
            Some("body" | "precondition") => None,
            _ => Some(self.shared.store.look_up(key, headers)),
        };
        match lookup {
            None => {}
            Some(Lookup::UriMiss) => ask.forward = Forward::UriMiss,
            Some(Lookup::VaryMiss) => ask.forward = Forward::VaryMiss,
            Some(Lookup::Found(entry)) if authorized && !entry.meta.policy.shareable => {
                ask.forward = Forward::Miss;
            }
            Some(Lookup::Found(entry)) => return self.look_at(key, request, entry, ask),
        }
        ask.key = key.into();
        Look::Ask(ask)
    }

    /// Whether what is stored may be used.
    fn look_at(
        &self,
        key: &[u8],
        request: &Request<Body>,
        entry: Arc<Entry>,
        mut ask: Ask,
    ) -> Look {
        let now = self.shared.sources.now();
        let stopped = entry.stopped();
        let policy = &entry.meta.policy;
        match policy.verdict(now, stopped, &ask.asks) {
            Verdict::Fresh => return Look::Answer(self.hit(&entry, request, now, None)),
            Verdict::Stale => return Look::Answer(self.stale(&entry, request, now, "max-stale")),
            Verdict::WhileRevalidated => {
                let why = "stale-while-revalidate";
                let response = self.stale(&entry, request, now, why);
                if entry.begin_check(now) {
                    return Look::Refresh(response, key.into(), entry);
                }
                return Look::Answer(response);
            }
            Verdict::Validate => {}
        }
        if entry.is_left_alone(now) && policy.stands_in(now, stopped, &ask.asks) {
            return Look::Answer(self.stale(&entry, request, now, "stale-if-error"));
        }
        let fresh = now < policy.fresh_until(stopped);
        ask.forward = if fresh {
            Forward::Request
        } else {
            Forward::Stale
        };
        if ask.manner == Manner::Together && (!policy.collapses() || ask.asks.no_cache) {
            ask.manner = Manner::Alone;
        }
        ask.key = key.into();
        ask.stored = Some(entry);
        Look::Ask(ask)
    }

    /// The answer that is stored, as it is.
    pub(crate) fn hit<B>(
        &self,
        entry: &Entry,
        request: &Request<B>,
        now: Timestamp,
        detail: Option<&'static str>,
    ) -> Response<Body> {
        self.metrics.hits.inc();
        let until = entry.meta.policy.fresh_until(entry.stopped());
        let ttl = (until.micros().saturating_sub(now.micros())).div_euclid(1_000_000);
        answer(
            entry,
            request.method(),
            request.headers(),
            now,
            hit(ttl, detail),
        )
    }

    /// The answer that is stored, though it is stale.
    pub(crate) fn stale(
        &self,
        entry: &Entry,
        request: &Request<Body>,
        now: Timestamp,
        why: &'static str,
    ) -> Response<Body> {
        self.metrics.stale.inc();
        self.hit(entry, request, now, Some(why))
    }

    /// What is to be stored of an answer; why nothing is, if so.
    pub(crate) fn consider(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        request: &HeaderMap,
        path_tag: &str,
        (timing, birth): (Timing, u64),
    ) -> Result<Meta, &'static str> {
        let policy = Policy::of(status, headers, timing, &self.rules)?;
        let selecting = Selecting::of(headers, request).ok_or("vary")?;
        let mut tags = tags(headers)?;
        tags.push(path_tag.to_owned());
        tags.push(EVERYTHING.to_owned());
        let mut head = kept_head(headers, timing.answered);
        if self.settings.strip_tags {
            strip_tags(&mut head);
        }
        Ok(Meta {
            status,
            head,
            told_age: headers.get(http::header::AGE).cloned(),
            told_status: super::answer::statuses(headers),
            policy,
            selecting,
            tags: self.tags(tags),
            birth,
        })
    }

    /// Tags as they are kept: as texts only if the second level will want them.
    pub(crate) fn tags(&self, texts: Vec<String>) -> Tags {
        let purges = &self.shared.store.purges;
        let hashes = texts.iter().map(|text| purges.hash(text)).collect();
        let wanted = self.shared.second.is_some();
        Tags {
            hashes,
            texts: if wanted { texts.into() } else { Box::default() },
        }
    }
}

/// Why a request goes on as it is, if it has to go on at all.
fn passes_through(
    request: &Request<Body>,
    heeded: Heeded,
    asks: &Directives,
) -> Option<&'static str> {
    if !request.body().is_end_stream() {
        Some("body")
    } else if heeded.precondition {
        Some("precondition")
    } else if *request.method() == Method::HEAD {
        Some("head")
    } else if heeded.range {
        Some("range")
    } else if asks.no_store {
        Some("no-store")
    } else {
        None
    }
}

pub(crate) fn strip_tags(headers: &mut HeaderMap) {
    headers.remove(SURROGATE_KEY);
    headers.remove(CACHE_TAG);
}

/// The tag that stands for what an upstream calls `tag`.
pub(crate) fn tag(tag: &str) -> String {
    format!("t:{tag}")
}

/// The tag that stands for everything at a path, whatever its query and its scheme.
pub(crate) fn path_tag(authority: &str, path: &str) -> String {
    format!("u:{}{path}", host(authority).to_ascii_lowercase())
}

/// The tags that an upstream gives an answer.
fn tags(headers: &HeaderMap) -> Result<Vec<String>, &'static str> {
    let mut tags = Vec::new();
    for (name, separator) in [(SURROGATE_KEY, ' '), (CACHE_TAG, ',')] {
        for value in headers.get_all(name) {
            let value = value.to_str().map_err(|_| "tags")?;
            let texts = value
                .split(separator)
                .map(str::trim)
                .filter(|text| !text.is_empty());
            tags.extend(texts.map(tag));
        }
    }
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > TAGS {
        return Err("tags");
    }
    Ok(tags)
}
