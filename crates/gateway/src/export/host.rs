//! The hosts that a document is for.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

/// A host that a document is for, with its port if that is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// In lower case.
    name: String,
    port: Option<u16>,
}

/// What is no [`Host`]; says what would be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of one host, such as api.example.com or api.example.com:8443")]
pub struct NotAHost;

impl FromStr for Host {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let (name, port) = match text.split_once(':') {
            None => (text, None),
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                (name, Some(port.parse().map_err(|_| NotAHost)?))
            }
            Some(_) => return Err(NotAHost),
        };
        // As the table has it, but for wildcards: clients ask one host.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let label = |label: &str| !label.is_empty() && label.bytes().all(plain);
        if !name.split('.').all(label) || port == Some(0) {
            return Err(NotAHost);
        }
        Ok(Self {
            name: name.to_ascii_lowercase(),
            port,
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// How specifically a route is for a host: the gateway takes the least of these first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// It names it.
    Exact,
    /// By a wildcard of so many bytes.
    Wildcard(Reverse<usize>),
    /// It names none.
    Any,
}

impl Host {
    /// Without the port, which routes do not look at.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How a route of these `hosts` is for it; `None` if it is for others only.
    pub(super) fn fit(&self, hosts: &[String]) -> Option<Fit> {
        if hosts.is_empty() {
            return Some(Fit::Any);
        }
        let fits = hosts.iter().filter_map(|host| {
            let host = host.to_ascii_lowercase();
            match host.strip_prefix('*') {
                None => (host == self.name).then_some(Fit::Exact),
                // With its dot.
                Some(suffix) => {
                    let fits = self.name.ends_with(suffix);
                    fits.then_some(Fit::Wildcard(Reverse(suffix.len())))
                }
            }
        });
        fits.min()
    }
}

/// A host as a server of OpenAPI.
pub(super) fn server(host: &Host) -> Value {
    json!({ "url": format!("https://{host}") })
}

/// The same for a host of a table, which may be a wildcard.
pub(super) fn server_of_table(host: &str) -> Value {
    match host.strip_prefix("*.") {
        Some(domain) => json!({
            "url": format!("https://{{label}}.{domain}"),
            "variables": { "label": { "default": "www" } },
        }),
        None => json!({ "url": format!("https://{host}") }),
    }
}
