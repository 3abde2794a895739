//! What a route does with its requests, beside leading them somewhere.

use crate::limit::LimitSettings;
use crate::table::{After, Auth, Hedge, Route, Size};
use crate::transform::{RequestSettings, ResponseSettings};

/// One line: of what kind, and what it says.
pub type Policy = (String, String);

/// The policies of a route, in the order in which requests meet them.
pub(super) fn policies(route: &Route) -> Vec<Policy> {
    let mut all = Vec::new();
    let mut tell = |kind: &str, says: String| all.push((kind.to_owned(), says));
    if let Some(caller) = route.auth.as_ref().map(caller) {
        tell("caller", caller);
    }
    for rule in &route.limits {
        tell("limit", limit(rule));
    }
    if let Some(Size(bytes)) = route.body_limit {
        tell("bodies", format!("at most {bytes} bytes"));
    }
    if let Some(most) = &route.concurrency {
        tell("at once", format!("{} requests", most.max));
    }
    if let Some(changed) = route.request.as_ref().map(request) {
        tell("request", changed);
    }
    if let Some(changed) = route.response.as_ref().map(response) {
        tell("response", changed);
    }
    if let Some(cache) = &route.cache {
        let zone = cache.zone.as_ref();
        let zone = zone.map_or_else(String::new, |zone| format!(", with all of zone {zone}"));
        tell("cache", format!("answers that may be kept are{zone}"));
    }
    tell("tries", tries(route));
    all
}

fn caller(auth: &Auth) -> String {
    let mut says = format!("known by {}", auth.by.join(", "));
    if auth.optional {
        says.push_str(", or nobody");
    }
    let of = |what: &str, all: &[String]| match all {
        [] => String::new(),
        all => format!("; {what} {}", all.join(", ")),
    };
    says += &of("with all of the scopes", &auth.scopes);
    says += &of("with one of the roles", &auth.roles);
    let claims: Vec<String> = auth
        .claims
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    says + &of("whose token says", &claims)
}

fn limit(rule: &LimitSettings) -> String {
    let per: Vec<String> = rule.per.0.iter().map(ToString::to_string).collect();
    let (count, window) = (rule.rate.count, rule.rate.window);
    let burst = rule.burst.unwrap_or(count);
    let shadow = if rule.shadow { ", only counted" } else { "" };
    let (name, per) = (&rule.name, per.join(" and "));
    format!("{name}: {count} in {window:?} for each {per}, {burst} at once{shadow}")
}

fn request(settings: &RequestSettings) -> String {
    let query = (settings.query != Default::default()).then_some("query");
    let body = !settings.json.is_empty() || settings.body.is_some();
    changed(settings.headers != Default::default(), query, body)
}

fn response(settings: &ResponseSettings) -> String {
    let status = settings.status.as_ref().map(|_| "status");
    let body = !settings.json.is_empty() || settings.body.is_some();
    changed(settings.headers != Default::default(), status, body)
}

fn changed(headers: bool, other: Option<&str>, body: bool) -> String {
    let parts = [headers.then_some("headers"), other, body.then_some("body")];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    format!("{} changed", parts.join(", "))
}

fn tries(route: &Route) -> String {
    let mut says = match route.retries {
        _ if route.shop => String::from("as the shop calls its instances"),
        0 => String::from("one"),
        1 => String::from("sent again once at most"),
        times => format!("sent again {times} times at most"),
    };
    if let Some(Hedge { after }) = route.hedge {
        says += &match after {
            After::Fixed(time) => format!("; a second server is asked after {time:?}"),
            After::P95 => String::from("; a second server is asked when most had answered"),
        };
    }
    if let Some(deadline) = route.deadline {
        says += &format!("; {deadline:?} for all of them, or `http.deadline` if that is less");
    }
    says
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::table::{Files, Table};

    fn told(route: &str) -> Vec<String> {
        let table = format!(
            r#"
            [gateway.upstream.all]
            servers = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
            [gateway.issuer.acme]
            issuer = "https://acme.test"
            jwks = "https://acme.test/jwks"
            audience = ["shop"]
            [[gateway.route]]
            name = "all"
            path = "/"
            upstream = "all"
            {route}
            "#
        );
        let table =
            Table::parse(&table, Path::new("t.toml"), &mut Files::default()).expect("a table");
        let policies = policies(table.routes[0].get_ref());
        let lines = policies
            .iter()
            .map(|(kind, says)| format!("{kind}: {says}"));
        lines.collect()
    }

    #[test]
    fn what_a_route_does_is_told_in_the_order_in_which_requests_meet_it() {
        let route = r#"
            deadline = "2s"
            retries = 2
            hedge = { after = "50ms" }
            body_limit = "1KiB"
            concurrency = 10
            auth = { by = ["acme"], roles = ["buyer", "seller"] }
            request = { headers = { remove = ["x-a"] }, json = [{ remove = "/b" }] }
            response = { status = { 404 = 200 } }
            cache = { zone = "pages" }
            [[gateway.route.limit]]
            name = "client"
            per = ["address", "header:x-app"]
            rate = "100/1m"
            burst = 20
        "#;
        let expected = [
            "caller: known by acme; with one of the roles buyer, seller",
            "limit: client: 100 in 60s for each address and header:x-app, 20 at once",
            "bodies: at most 1024 bytes",
            "at once: 10 requests",
            "request: headers, body changed",
            "response: status changed",
            "cache: answers that may be kept are, with all of zone pages",
            "tries: sent again 2 times at most; a second server is asked after 50ms; 2s for all of them, or `http.deadline` if that is less",
        ];
        assert_eq!(told(route), expected);
        assert_eq!(told(""), ["tries: sent again once at most"]);
    }
}
