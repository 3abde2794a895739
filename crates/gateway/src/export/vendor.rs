//! What those who import a document take from it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::path::Shape;
use crate::table::{Named, Route, Table};

/// The longest that Amazon API Gateway waits.
const AWS_LONGEST: Duration = Duration::from_secs(29);
const AWS_SHORTEST: Duration = Duration::from_millis(50);

/// Who is to import a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Vendor {
    /// Anybody: no extensions but `x-rialto-*`.
    #[default]
    Plain,
    /// Kong, by `deck file openapi2kong`.
    Kong,
    /// Apigee.
    Apigee,
    /// Amazon API Gateway.
    Aws,
    /// Azure API Management.
    Azure,
}

impl Vendor {
    /// In messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "OpenAPI",
            Self::Kong => "Kong",
            Self::Apigee => "Apigee",
            Self::Aws => "Amazon API Gateway",
            Self::Azure => "Azure API Management",
        }
    }

    /// Whether `servers` of the document is the one backend of all operations.
    pub(super) const fn has_one_backend(self) -> bool {
        matches!(self, Self::Apigee | Self::Azure)
    }

    /// Whether each operation says which hosts it is for.
    pub(super) const fn has_hosts(self) -> bool {
        matches!(self, Self::Plain | Self::Kong)
    }

    /// Whether each operation says where it leads to, so that one that leads nowhere is none.
    pub(super) const fn leads_each(self) -> bool {
        matches!(self, Self::Kong | Self::Aws)
    }
}

/// What a rewritten path is to a vendor; `name` writes a capture.
fn written(
    text: &str,
    renamed: &BTreeMap<String, String>,
    name: impl Fn(&str) -> String,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{')
        && let Some((capture, behind)) = after.split_once('}')
    {
        out.push_str(before);
        out.push_str(&name(renamed.get(capture).map_or(capture, String::as_str)));
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What Kong is told about a route that is for `hosts`.
pub(super) fn kong(
    route: &Route,
    hosts: Vec<String>,
    renamed: &BTreeMap<String, String>,
    upstream: &str,
    table: &Table,
) -> Vec<(&'static str, Value)> {
    let settings = table.upstreams[upstream].get_ref();
    let mut service = json!({
        "connect_timeout": millis(settings.connect_timeout),
        "retries": route.retries,
    });
    if let Some(deadline) = route.deadline {
        service["read_timeout"] = millis(deadline).into();
    }
    let mut of_route = json!({ "preserve_host": route.keep_host });
    if !hosts.is_empty() {
        of_route["hosts"] = json!(hosts);
    }
    let exact = route.headers.iter().filter(|(_, value)| *value != "*");
    let exact: BTreeMap<_, _> = exact.map(|(name, value)| (name, [value])).collect();
    if !exact.is_empty() {
        of_route["headers"] = json!(exact);
    }
    let mut fields = vec![
        ("x-kong-service-defaults", service),
        ("x-kong-route-defaults", of_route),
    ];
    if let Some(rewrite) = &route.rewrite {
        let uri = written(rewrite, renamed, |name| {
            format!("$(uri_captures['{name}'])")
        });
        let plugin = json!({ "config": { "replace": { "uri": uri } } });
        fields.push(("x-kong-plugin-request-transformer", plugin));
    }
    fields.extend(kong_auth(route, table));
    fields
}

/// The plugin that asks who calls, where Kong has one that asks for the same.
pub(super) fn kong_auth(route: &Route, table: &Table) -> Option<(&'static str, Value)> {
    let auth = route.auth.as_ref()?;
    let [only] = auth.by.as_slice() else {
        return None;
    };
    if auth.optional {
        return None;
    }
    match table.named(only)? {
        Named::Keys => {
            let header = &table.keys[only].get_ref().header;
            let config =
                json!({ "key_names": [header], "key_in_query": false, "key_in_body": false });
            Some(("x-kong-plugin-key-auth", json!({ "config": config })))
        }
        Named::Issuer => {
            let config = json!({ "key_claim_name": "iss", "claims_to_verify": ["exp"] });
            Some(("x-kong-plugin-jwt", json!({ "config": config })))
        }
        Named::Introspection | Named::Certificates => None,
    }
}

/// What Amazon API Gateway is told about a route.
pub(super) fn aws(
    route: &Route,
    method: &str,
    shape: &Shape,
    renamed: &BTreeMap<String, String>,
    server: &str,
) -> Value {
    let path = match &route.rewrite {
        Some(rewrite) => written(rewrite, renamed, |name| format!("{{{name}}}")),
        None => shape.path.replace("+}", "}"),
    };
    let parameters = shape.names.iter().map(|name| {
        let own = format!("integration.request.path.{name}");
        (own, format!("method.request.path.{name}"))
    });
    let mut integration = json!({
        "type": "http_proxy",
        "httpMethod": method,
        "uri": format!("{}{path}", server.trim_end_matches('/')),
        "connectionType": "INTERNET",
        "passthroughBehavior": "when_no_match",
        "payloadFormatVersion": "1.0",
        "requestParameters": parameters.collect::<BTreeMap<_, _>>(),
    });
    if let Some(deadline) = route.deadline {
        let deadline = deadline.clamp(AWS_SHORTEST, AWS_LONGEST);
        integration["timeoutInMillis"] = millis(deadline).into();
    }
    integration
}

/// What of a route a vendor does not take from a document.
pub(super) fn ignored(vendor: Vendor, route: &Route, shape: &Shape, table: &Table) -> Vec<String> {
    let mut ignored = Vec::new();
    let mut add = |if_so: bool, what: &str| {
        if if_so {
            ignored.push(what.to_owned());
        }
    };
    let one_backend = vendor.has_one_backend();
    let any_value = route.headers.values().any(|value| value == "*");
    let conditions = !route.headers.is_empty() && (vendor != Vendor::Kong || any_value);
    add(conditions, "`headers` (conditions)");
    add(
        shape.greedy.is_some() && vendor != Vendor::Aws,
        "the wildcard (a parameter is one segment)",
    );
    add(route.request.is_some(), "`request` (changes)");
    add(route.response.is_some(), "`response` (changes)");
    add(route.body_limit.is_some(), "`body_limit`");
    add(route.concurrency.is_some(), "`concurrency`");
    add(route.hedge.is_some(), "`hedge`");
    if vendor == Vendor::Plain {
        return ignored;
    }
    add(one_backend && route.rewrite.is_some(), "`rewrite`");
    add(one_backend && route.deadline.is_some(), "`deadline`");
    let out_of_range = |deadline: Duration| !(AWS_SHORTEST..=AWS_LONGEST).contains(&deadline);
    add(
        vendor == Vendor::Aws && route.deadline.is_some_and(out_of_range),
        "`deadline` (it takes 50ms to 29s)",
    );
    add(
        vendor == Vendor::Aws && !shape.whole,
        "captures of parts of a segment",
    );
    add(vendor != Vendor::Kong && route.keep_host, "`keep_host`");
    if let Some(auth) = &route.auth {
        let asked = vendor == Vendor::Kong && kong_auth(route, table).is_some();
        add(!asked, "`auth` (who calls is not asked)");
        let more = super::security::wanted(auth).is_some();
        add(asked && more, "`scopes`, `roles` and `claims` of `auth`");
    }
    add(!route.limits.is_empty(), "`limit`");
    add(route.cache.is_some(), "`cache`");
    add(route.validate.is_some(), "`validate`");
    ignored
}
