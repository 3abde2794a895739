//! Where Redis is.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use redis::{ConnectionAddr, ConnectionInfo};

/// `redis://USER:PASSWORD@HOST:PORT/NUMBER`, or `rediss://` with TLS. Debug and display hide user
/// and password.
#[derive(Clone)]
pub struct RedisUrl(Arc<ConnectionInfo>);

/// The text is not the address of a Redis server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedisUrl {
    /// Another scheme.
    #[error("expected redis://USER:PASSWORD@HOST:PORT/NUMBER, or rediss:// for TLS")]
    Scheme,
    /// The rest cannot be read.
    #[error("malformed redis URL: {0}")]
    Malformed(String),
    /// TLS that proves nothing.
    #[error("a rediss URL without `#insecure` is needed: certificates are always verified")]
    Insecure,
}

impl RedisUrl {
    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.0
    }

    /// The channel `name` of whoever uses the same database: a server has one set of channels for
    /// all of its databases.
    pub fn channel(&self, name: &str) -> String {
        format!("{name}:{}", self.0.redis_settings().db())
    }
}

impl FromStr for RedisUrl {
    type Err = InvalidRedisUrl;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        if !url.starts_with("redis://") && !url.starts_with("rediss://") {
            return Err(InvalidRedisUrl::Scheme);
        }
        let info: ConnectionInfo = url
            .parse()
            .map_err(|error: redis::RedisError| InvalidRedisUrl::Malformed(error.to_string()))?;
        match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => Err(InvalidRedisUrl::Insecure),
            _ => Ok(Self(Arc::new(info))),
        }
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.redis_settings().db();
        match self.0.addr() {
            ConnectionAddr::TcpTls { host, port, .. } => {
                write!(f, "rediss://{host}:{port}/{number}")
            }
            other => write!(f, "redis://{other}/{number}"),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let url: RedisUrl = "redis://shop:hunter2@cache.example:6380/3"
            .parse()
            .expect("a URL");
        assert_eq!(
            format!("{url} {url:?}"),
            "redis://cache.example:6380/3 redis://cache.example:6380/3"
        );
        assert_eq!(url.info().redis_settings().password(), Some("hunter2"));
        assert_eq!(url.channel("news"), "news:3");
        let url: RedisUrl = "rediss://:hunter2@cache.example".parse().expect("a URL");
        assert_eq!(url.to_string(), "rediss://cache.example:6379/0");
    }

    #[test]
    fn what_is_wrong_is_told_without_secrets() {
        for (url, told) in [
            ("memory:", "expected redis://"),
            ("redis+unix:///run/redis", "expected redis://"),
            ("redis://:hunter2@host/many", "malformed redis URL"),
            (
                "rediss://:hunter2@host/#insecure",
                "certificates are always verified",
            ),
        ] {
            let error = url.parse::<RedisUrl>().expect_err(url).to_string();
            assert!(error.contains(told), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
