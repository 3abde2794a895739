//! Settings: of the store, and of each route that uses it.

use std::time::Duration;

use http::HeaderName;
use platform::config::units;
use serde::{Deserialize, Deserializer};

use super::store::largest;

/// Room for the head of an answer and its key.
const HEAD: usize = 64 << 10;

/// The store that all routes share. Everything has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", default)]
pub struct StoreSettings {
    /// Bytes of keys, headers and bodies over all entries, such as `64MiB`.
    #[serde(deserialize_with = "size")]
    pub memory: usize,
    /// Tags and paths whose purge is remembered. When there are more, the oldest is forgotten, and
    /// whatever was stored before it counts as purged.
    pub purge_records: usize,
    /// Revalidations and writes to the second level that may run in the background at once.
    pub background: usize,
    /// How long the second level may take; it counts as silent after that.
    #[serde(deserialize_with = "span")]
    pub second_level_timeout: Duration,
    /// How long the second level is left alone after it has failed several times in a row.
    #[serde(deserialize_with = "span")]
    pub second_level_pause: Duration,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            purge_records: 100_000,
            background: 64,
            second_level_timeout: Duration::from_millis(50),
            second_level_pause: Duration::from_secs(5),
        }
    }
}

/// How one route uses the store. Everything has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", default)]
pub struct CacheSettings {
    /// Routes of one zone answer each other's requests. Without one, a route keeps to itself.
    pub zone: Option<String>,
    /// An answer with a larger body is sent on and not stored.
    #[serde(deserialize_with = "size")]
    pub body_limit: usize,
    /// Answers to one target that differ by what `Vary` names; the oldest makes room.
    pub variants: usize,
    /// The only query parameters that count; the others are not sent to the upstream either.
    pub query_only: Vec<String>,
    /// Query parameters that do not count; they are not sent to the upstream either.
    pub query_except: Vec<String>,
    /// Whether the order of query parameters of different names does not count.
    pub query_sorted: bool,
    /// Header fields that count besides those which `Vary` names.
    pub key_headers: Vec<String>,
    /// Cookies that count.
    pub key_cookies: Vec<String>,
    /// How long an answer may be fresh that says nothing of it but `Last-Modified`; none is, by
    /// default.
    #[serde(deserialize_with = "span")]
    pub heuristic: Duration,
    /// How long after its time an answer is served while it is revalidated, unless it says so
    /// itself (RFC 5861).
    #[serde(deserialize_with = "span")]
    pub stale_while_revalidate: Duration,
    /// How long after its time an answer stands in for a failing upstream, unless it says so itself.
    #[serde(deserialize_with = "span")]
    pub stale_if_error: Duration,
    /// How long a failing upstream is left alone where a stale answer stands in for it.
    #[serde(deserialize_with = "span")]
    pub error_pause: Duration,
    /// How long a request waits for another one that fetches the same.
    #[serde(deserialize_with = "span")]
    pub wait: Duration,
    /// How long requests do not wait for each other after an answer that could not be stored.
    #[serde(deserialize_with = "span")]
    pub pass_for: Duration,
    /// Whether answers with `Set-Cookie` are stored, cookie and all.
    pub store_set_cookie: bool,
    /// Whether `Cache-Control` of requests counts.
    pub client_directives: bool,
    /// Whether `Surrogate-Key` and `Cache-Tag` are removed from answers.
    pub strip_tags: bool,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            zone: None,
            body_limit: 1 << 20,
            variants: 16,
            query_only: Vec::new(),
            query_except: Vec::new(),
            query_sorted: false,
            key_headers: Vec::new(),
            key_cookies: Vec::new(),
            heuristic: Duration::ZERO,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            error_pause: Duration::from_secs(1),
            wait: Duration::from_secs(5),
            pass_for: Duration::from_secs(10),
            store_set_cookie: false,
            client_directives: true,
            strip_tags: true,
        }
    }
}

impl CacheSettings {
    /// Everything that is wrong, with its remedy; empty if all is well.
    pub fn faults(&self, store: &StoreSettings) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.query_only.is_empty() && !self.query_except.is_empty() {
            faults.push(String::from(
                "query_only and query_except exclude each other; remove one of them",
            ));
        }
        // Names of both are tokens (RFC 9110, section 5.1; RFC 6265, section 4.1.1).
        for (key, names, what, example) in [
            (
                "key_headers",
                &self.key_headers,
                "a header field",
                "accept-language",
            ),
            ("key_cookies", &self.key_cookies, "a cookie", "currency"),
        ] {
            let wrong = names
                .iter()
                .filter(|name| name.parse::<HeaderName>().is_err());
            faults.extend(wrong.map(|name| {
                format!("{key}: `{name}` is not the name of {what}; write it as in `{example}`")
            }));
        }
        if self.variants == 0 {
            faults.push(String::from(
                "variants is 0, so that nothing could be stored; set 1 or more",
            ));
        }
        let most = largest(store.memory).saturating_sub(HEAD);
        if self.body_limit > most {
            faults.push(format!(
                "body_limit is {} bytes, and a store with memory for {} bytes holds bodies of up \
                 to {most} bytes; lower it, or give the store more memory",
                self.body_limit, store.memory
            ));
        }
        faults
    }
}

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    units::duration(&text).ok_or_else(|| {
        let wrong = format!("`{text}` is not a duration such as 250ms, 30s, 15m, 24h or 7d");
        serde::de::Error::custom(wrong)
    })
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let text = String::deserialize(deserializer)?;
    units::bytes(&text).ok_or_else(|| {
        let wrong = format!("`{text}` is not a size such as 512B, 64KiB or 1MiB");
        serde::de::Error::custom(wrong)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_toml() {
        let text = "zone = 'shop'\nbody_limit = '64KiB'\nstale_if_error = '1h'\nquery_except = ['utm_source']";
        let settings: CacheSettings = toml::from_str(text).expect("fits");
        assert_eq!(settings.body_limit, 65_536);
        assert_eq!(settings.stale_if_error, Duration::from_secs(3600));
        assert_eq!(settings.faults(&StoreSettings::default()), [""; 0]);
        let wrong = toml::from_str::<CacheSettings>("wait = 'long'").expect_err("not a duration");
        assert!(wrong.to_string().contains("such as 250ms"), "{wrong}");
        assert!(toml::from_str::<CacheSettings>("bodylimit = '1B'").is_err());
        let store: StoreSettings = toml::from_str("memory = '1GiB'").expect("fits");
        assert_eq!(store.memory, 1 << 30);
    }

    #[test]
    fn every_fault_is_told() {
        let settings = CacheSettings {
            query_only: vec!["a".into()],
            query_except: vec!["b".into()],
            key_headers: vec!["no name".into()],
            key_cookies: vec!["=lang".into()],
            variants: 0,
            body_limit: usize::MAX,
            ..CacheSettings::default()
        };
        assert_eq!(settings.faults(&StoreSettings::default()).len(), 5);
    }

    /// The page shows every key, with its default where it says so.
    #[test]
    fn the_page_knows_every_key() {
        let page = include_str!("../../../../docs/cache.md");
        let mut blocks = page
            .split("```toml")
            .skip(1)
            .map(|rest| rest.split("```").next().expect("a block ends"));
        let store: StoreSettings = toml::from_str(blocks.next().expect("a block")).expect("fits");
        assert_eq!(store, StoreSettings::default());
        let route: CacheSettings = toml::from_str(blocks.next().expect("a block")).expect("fits");
        let examples = CacheSettings {
            zone: Some("shop".into()),
            query_only: vec!["page".into(), "q".into()],
            query_except: vec!["utm_source".into()],
            key_headers: vec!["x-shop".into()],
            key_cookies: vec!["currency".into()],
            ..CacheSettings::default()
        };
        assert_eq!(route, examples);
    }
}
