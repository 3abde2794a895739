//! What goes on beside requests: checks of servers, looking for new ones, closing old connections.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::HOST;
use http::{HeaderValue, Method, Request, Uri};
use wire::Body;

use super::{Member, Upstream, micros};
use crate::table::{Health, server};

/// How long looking up a name, or reading a file, may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Upstream {
    /// Checks all servers, side by side.
    pub(crate) async fn check(&self) {
        let Some(health) = &self.definition.health else {
            return;
        };
        let members = self.members.load();
        let free = members
            .iter()
            .filter(|member| !member.probing.swap(true, Ordering::Relaxed));
        let checks = free.map(|member| async {
            let good = is_well(member, health).await;
            member.checked(good, self.now(), health);
            member.probing.store(false, Ordering::Relaxed);
        });
        futures_util::future::join_all(checks).await;
    }

    /// What it is time to do, noted as begun.
    pub(crate) fn due(&self) -> Due {
        let now = self.now();
        let health = self.definition.health.as_ref();
        Due {
            check: health.is_some_and(|health| is_due(&self.checked, now, health.interval)),
            refresh: is_due(&self.refreshed, now, self.definition.refresh),
        }
    }

    /// Looks for servers that came and went, and closes old connections. What cannot be found out
    /// changes nothing.
    pub(crate) async fn refresh(&self) {
        self.members.load().iter().for_each(|member| member.sweep());
        let found = if let Some(url) = &self.definition.dns {
            tokio::time::timeout(PATIENCE, look_up(url)).await
        } else if let Some(file) = &self.definition.file {
            tokio::time::timeout(PATIENCE, read(file)).await
        } else {
            return;
        };
        match found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(urls) if urls.is_empty() => {
                tracing::warn!(upstream = %self.name, "no servers were found; those known stay");
            }
            Ok(urls) => self.set_servers(&urls),
            Err(error) => {
                tracing::warn!(upstream = %self.name, %error, "servers cannot be looked for; those known stay");
            }
        }
    }
}

/// What an upstream should do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) check: bool,
    pub(crate) refresh: bool,
}

/// Whether `interval` has passed since it was last due; the first time it is.
fn is_due(last: &AtomicU64, now: u64, interval: Duration) -> bool {
    let before = last.load(Ordering::Relaxed);
    let due = before == 0 || now.saturating_sub(before) >= micros(interval);
    if due {
        last.store(now.max(1), Ordering::Relaxed);
    }
    due
}

async fn is_well(member: &Arc<Member>, health: &Health) -> bool {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = health.path.parse::<Uri>().unwrap_or_default();
    request.headers_mut().insert(HOST, member.host.clone());
    let agent = HeaderValue::from_static("rialto-health");
    request
        .headers_mut()
        .insert(http::header::USER_AGENT, agent);
    let answer = tokio::time::timeout(health.timeout, member.probes.exchange(request, true)).await;
    matches!(answer, Ok(Ok(response)) if response.status().is_success())
}

/// The addresses behind the name in a URL, as URLs.
async fn look_up(url: &str) -> io::Result<Vec<String>> {
    let uri = server(url).map_err(io::Error::other)?;
    let scheme = uri.scheme_str().unwrap_or("http");
    let port = uri.port_u16().unwrap_or(80);
    let host = uri.host().unwrap_or_default();
    let addresses = tokio::net::lookup_host((host, port)).await?;
    let mut urls: Vec<String> = addresses
        .map(|address| format!("{scheme}://{address}"))
        .collect();
    urls.sort();
    urls.dedup();
    Ok(urls)
}

/// The URLs in a file, without empty lines and comments.
async fn read(file: &std::path::Path) -> io::Result<Vec<String>> {
    let text = tokio::fs::read_to_string(file).await?;
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}
