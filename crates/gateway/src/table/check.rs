//! What a table must be beyond its form.

mod compose;
mod conditions;
mod hedge;
mod identity;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use http::{HeaderName, Method, Uri};
use platform::metrics::Metrics;

pub(crate) use self::conditions::all_conditions;
use super::{Finding, Route, Table, Upstream};
use crate::cache::StoreSettings;
use crate::limit::{LimitSettings, Rules};
use crate::router::Template;
use crate::template::Text;
use crate::transform::TransformFilter;

/// All that is wrong.
pub(super) fn findings(table: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, route) in table.routes.iter().enumerate() {
        let (span, route) = (route.span(), route.get_ref());
        let mut wrong = |problem: String| findings.push((Some(span.clone()), problem));
        if !is_name(&route.name) {
            let name = &route.name;
            wrong(format!("`{name}` is no name: use a-z, 0-9 and `-`"));
        }
        if names.insert(&route.name, number).is_some() {
            wrong(format!("there are two routes called `{}`", route.name));
        }
        route_problems(route, table, &mut wrong);
        findings.extend(transformation(route, &span));
    }
    for (number, compose) in table.composes.iter().enumerate() {
        let (span, compose) = (compose.span(), compose.get_ref());
        let mut wrong = |problem: String| findings.push((Some(span.clone()), problem));
        let number = table.routes.len() + number;
        if !is_name(&compose.name) || names.insert(&compose.name, number).is_some() {
            wrong(format!(
                "`{}` is no name, or another route has it",
                compose.name
            ));
        }
        compose::problems(compose, &mut wrong);
    }
    for (name, upstream) in &table.upstreams {
        let (span, upstream) = (upstream.span(), upstream.get_ref());
        let mut wrong = |problem: String| findings.push((Some(span.clone()), problem));
        if !is_name(name) {
            wrong(format!("`{name}` is no name: use a-z, 0-9 and `-`"));
        }
        upstream_problems(upstream, &mut wrong);
    }
    for purge in &table.purges {
        let mut wrong = |problem: String| findings.push((Some(purge.span()), problem));
        purge.get_ref().problems(&mut wrong);
    }
    findings.extend(limits(table));
    findings.extend(identity::findings(table));
    findings.extend(conditions::paths(table));
    findings
}

/// Limits of one name count together, and so must say the same.
fn limits(table: &Table) -> Vec<Finding> {
    let mut known: BTreeMap<&str, &LimitSettings> = BTreeMap::new();
    let mut findings = Vec::new();
    for route in &table.routes {
        for limit in &route.get_ref().limits {
            let first = *known.entry(&limit.name).or_insert(limit);
            if (&first.per, first.rate, first.burst) != (&limit.per, limit.rate, limit.burst) {
                let problem = format!(
                    "limit `{}`: another route has one of this name, with another `per`, `rate` or \
                     `burst`: they would count together",
                    limit.name
                );
                findings.push((Some(route.span()), problem));
            }
        }
    }
    findings
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn route_problems(route: &Route, table: &Table, wrong: &mut impl FnMut(String)) {
    for host in &route.hosts {
        let name = host.strip_prefix("*.").unwrap_or(host);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if name.is_empty() || !name.bytes().all(plain) {
            wrong(format!(
                "`{host}` is no host: `api.example.com` or `*.example.com`, no port"
            ));
        }
    }
    for method in &route.methods {
        if Method::from_bytes(method.as_bytes()).is_err() || method.to_ascii_uppercase() != *method
        {
            wrong(format!(
                "`{method}` is no method; they are written in capitals"
            ));
        }
    }
    for name in route.headers.keys() {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            wrong(format!("`{name}` is no name of a header"));
        }
    }
    let targets = [
        route.upstream.is_some(),
        !route.upstreams.is_empty(),
        route.shop,
        route.redirect.is_some(),
    ];
    if targets.into_iter().filter(|target| *target).count() != 1 {
        wrong(String::from(
            "a route has one of `upstream`, `upstreams`, `shop = true` and `redirect`",
        ));
    }
    let named = route.upstream.iter().chain(route.upstreams.keys());
    for name in named.filter(|name| !table.upstreams.contains_key(*name)) {
        let known: Vec<_> = table.upstreams.keys().map(String::as_str).collect();
        let known = known.join(", ");
        wrong(format!("there is no upstream `{name}`; there are: {known}"));
    }
    if !route.upstreams.is_empty() && route.upstreams.values().all(|share| *share == 0) {
        wrong(String::from("one of `upstreams` needs a share above 0"));
    }
    if route.shop && route.keep_host {
        wrong(String::from(
            "`keep_host` is for routes to upstreams: the shop does not look at the host",
        ));
    }
    if let Some(auth) = &route.auth {
        identity::auth_problems(auth, table, wrong);
    }
    policies(route, wrong);
    texts(route, wrong);
}

fn policies(route: &Route, wrong: &mut impl FnMut(String)) {
    let leads = route.upstream.is_some() || !route.upstreams.is_empty() || route.shop;
    if !leads && (route.cache.is_some() || !route.limits.is_empty()) {
        wrong(String::from(
            "`cache` and `limit` are for routes to upstreams, or to the shop",
        ));
    }
    if !leads && (route.body_limit.is_some() || route.concurrency.is_some()) {
        wrong(String::from(
            "`body_limit` and `concurrency` are for routes to upstreams, or to the shop",
        ));
    }
    let at_once = route.concurrency.map(|at_once| at_once.faults());
    at_once.into_iter().flatten().for_each(&mut *wrong);
    if let Some(cache) = &route.cache {
        let faults = cache.faults(&StoreSettings::default());
        faults
            .into_iter()
            .for_each(|fault| wrong(format!("cache: {fault}")));
    }
    hedge::problems(route, wrong);
    validate::problems(route, wrong);
    if let Err(problem) = Rules::new(&route.limits, &Metrics::new()) {
        wrong(format!("limit: {problem}"));
    }
}

/// What is wrong with how a route changes its messages.
fn transformation(route: &Route, span: &Range<usize>) -> Vec<Finding> {
    let changes = route.request.is_some() || route.response.is_some();
    if changes && route.redirect.is_some() {
        let problem = "a redirect has nothing to transform: remove `request` and `response`";
        return vec![(Some(span.clone()), String::from(problem))];
    }
    TransformFilter::of(route, Duration::ZERO)
        .err()
        .unwrap_or_default()
}

/// The texts with captures in them.
fn texts(route: &Route, wrong: &mut impl FnMut(String)) {
    // Whether the path itself is a template is looked at where all paths are.
    let Ok(path) = Template::new(&route.path) else {
        return;
    };
    let captures: BTreeSet<&str> = path.names().iter().map(String::as_str).collect();
    let check = |text: &str, extra: &[&str]| -> Result<(), String> {
        let text = Text::new(text)?;
        let known = |name: &&str| captures.contains(name) || extra.contains(name);
        match text.names().find(|name| !known(name)) {
            Some(name) => Err(format!("`{{{name}}}` is no capture of `{}`", route.path)),
            None => Ok(()),
        }
    };
    if let Some(rewrite) = &route.rewrite {
        if !rewrite.starts_with('/') || rewrite.contains(['?', '#']) {
            wrong(String::from(
                "`rewrite` is a path, which begins with `/`: the query stays as it is, but for what \
                 `request.query` says",
            ));
        }
        if let Err(problem) = check(rewrite, &[]) {
            wrong(format!("rewrite: {problem}"));
        }
    }
    if let Some(redirect) = &route.redirect {
        if !matches!(redirect.status, 301 | 302 | 303 | 307 | 308) {
            wrong(format!(
                "{} is no status of a redirect: 301, 302, 303, 307, 308",
                redirect.status
            ));
        }
        let begins = |with: &&str| redirect.to.starts_with(*with) && !redirect.to.starts_with("//");
        if !["/", "https://", "http://"].iter().any(begins) {
            let to = &redirect.to;
            wrong(format!(
                "redirect: `{to}` is no place: write \"/PATH\" or \"https://HOST/PATH\""
            ));
        }
        if let Err(problem) = check(&redirect.to, &["query"]) {
            wrong(format!("redirect: {problem}"));
        }
    }
}

/// Requests that share a connection at most: the last one waits for as many answers.
const PIPELINE: usize = 32;

fn upstream_problems(upstream: &Upstream, wrong: &mut impl FnMut(String)) {
    let sources = [
        !upstream.servers.is_empty(),
        upstream.dns.is_some(),
        upstream.file.is_some(),
    ];
    if sources.into_iter().filter(|source| *source).count() != 1 {
        wrong(String::from(
            "an upstream has one of `servers`, `dns` and `file`",
        ));
    }
    for url in upstream.servers.iter().chain(&upstream.dns) {
        if let Err(problem) = server(url) {
            wrong(problem);
        }
    }
    if upstream
        .dns
        .as_ref()
        .is_some_and(|url| url.starts_with("https:"))
    {
        wrong(String::from(
            "`dns` finds addresses, which have no certificates: name https servers in `servers`",
        ));
    }
    let faults = upstream.concurrency.faults();
    faults.into_iter().map(String::from).for_each(&mut *wrong);
    let health = upstream.health.as_ref();
    if health
        .is_some_and(|health| health.path.parse::<Uri>().is_err() || !health.path.starts_with('/'))
    {
        wrong(String::from("`health.path` is a path, such as \"/health\""));
    }
    if health.is_some_and(|health| health.interval.is_zero()) || upstream.refresh.is_zero() {
        wrong(String::from("an interval of 0 would never rest"));
    }
    if !(1..=PIPELINE).contains(&upstream.pipeline) {
        wrong(format!(
            "`pipeline` is 1 to {PIPELINE}: so many requests share a connection"
        ));
    }
    if upstream.http2 && upstream.pipeline > 1 {
        wrong(String::from(
            "`pipeline` is of HTTP/1.1: with `http2` all requests share a connection",
        ));
    }
    if upstream.connect_timeout.is_zero() || upstream.read_timeout.is_zero() {
        wrong(String::from(
            "`connect_timeout` and `read_timeout` are longer than 0: no server could keep to them",
        ));
    }
}

/// Reads the URL of a server: a scheme and an authority, nothing else.
pub(crate) fn server(url: &str) -> Result<Uri, String> {
    let wrong = || format!("`{url}` is no server: write \"http://HOST:PORT\" or \"https://HOST\"");
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let plain = uri.path() == "/" && uri.query().is_none();
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.host().is_some_and(|host| !host.is_empty());
    let user = uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    if plain && known && host && !user {
        Ok(uri)
    } else {
        Err(wrong())
    }
}

/// Reads the URL of a document: the server, as [`server`] reads it, and the target there.
pub(crate) fn target(url: &str) -> Result<(String, Uri), String> {
    let wrong = || format!("`{url}` is no URL: write \"https://HOST/PATH\"");
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let (scheme, authority) = (uri.scheme_str(), uri.authority());
    let (Some(scheme), Some(authority)) = (scheme, authority) else {
        return Err(wrong());
    };
    let base = format!("{scheme}://{authority}");
    server(&base)?;
    let path = uri.path_and_query().cloned().ok_or_else(wrong)?;
    Ok((base, Uri::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_upstream_can_keep_to_is_told() {
        for (table, told) in [
            ("servers = ['http://a:1']", None),
            ("", Some("one of `servers`, `dns` and `file`")),
            (
                "servers = ['http://a:1']\ndns = 'http://a:1'",
                Some("one of"),
            ),
            ("servers = ['a:1']", Some("`a:1` is no server")),
            ("dns = 'https://a'", Some("which have no certificates")),
            (
                "dns = 'http://a:1'\nrefresh = '0s'",
                Some("would never rest"),
            ),
            (
                "file = 'f'\nhealth = { path = 'ok' }",
                Some("`health.path` is a path"),
            ),
            (
                "file = 'f'\nhealth = { path = '/', interval = '0s' }",
                Some("would never rest"),
            ),
            ("file = 'f'\nconnect_timeout = '0s'", Some("longer than 0")),
            ("file = 'f'\nread_timeout = '0s'", Some("longer than 0")),
            ("file = 'f'\npipeline = 0", Some("`pipeline` is 1 to 32")),
            ("file = 'f'\npipeline = 33", Some("`pipeline` is 1 to 32")),
            (
                "file = 'f'\npipeline = 2\nhttp2 = true",
                Some("of HTTP/1.1"),
            ),
        ] {
            let upstream: Upstream = toml::from_str(table).expect("of the right form");
            let mut wrong = Vec::new();
            upstream_problems(&upstream, &mut |problem| wrong.push(problem));
            match told {
                None => assert_eq!(wrong, [""; 0], "{table}"),
                Some(told) => {
                    assert!(
                        wrong.len() == 1 && wrong[0].contains(told),
                        "{table}: {wrong:?}"
                    );
                }
            }
        }
    }
}
