//! One route as an operation.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::host::{server, server_of_table};
use super::own::own;
use super::path::Shape;
use super::{Host, METHODS, Vendor, vendor};
use crate::table::{Compose, Route, Table};

/// A route of either kind.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub(super) name: &'a str,
    pub(super) path: &'a str,
    pub(super) hosts: &'a [String],
    pub(super) methods: &'a [String],
    pub(super) route: Option<&'a Route>,
    compose: Option<&'a Compose>,
}

/// All of a table, those with fewer conditions first: where two are one operation, the document has
/// the one that most requests meet; for `hosts`, the one that is for them most specifically. Of two
/// with the same conditions, the first one that the gateway takes.
pub(super) fn operations<'a>(table: &'a Table, hosts: &[Host]) -> Vec<Operation<'a>> {
    let routes = table.routes.iter().map(|route| {
        let route = route.get_ref();
        Operation {
            name: &route.name,
            path: &route.path,
            hosts: &route.hosts,
            methods: &route.methods,
            route: Some(route),
            compose: None,
        }
    });
    let composes = table.composes.iter().map(|compose| {
        let compose = compose.get_ref();
        Operation {
            name: &compose.name,
            path: &compose.path,
            hosts: &compose.hosts,
            methods: &[],
            route: None,
            compose: Some(compose),
        }
    });
    let mut all: Vec<Operation<'_>> = routes.chain(composes).collect();
    // Stable: the order of the file decides among equals.
    all.sort_by_key(|one| {
        let any = one.route.is_some() && one.methods.is_empty();
        let fit = hosts.iter().filter_map(|host| host.fit(one.hosts)).min();
        let named = hosts.is_empty() && !one.hosts.is_empty();
        (one.headers().len(), named, fit, any)
    });
    all
}

impl Operation<'_> {
    /// Whether it is for one of `hosts`; if there are none, it is for all.
    pub(super) fn is_asked_for(&self, hosts: &[Host]) -> bool {
        hosts.is_empty() || hosts.iter().any(|host| host.fit(self.hosts).is_some())
    }

    /// Whether it is not for all that the document is for.
    fn is_for_some_only(&self, hosts: &[Host]) -> bool {
        let fits = |host: &Host| host.fit(self.hosts).is_some();
        !self.hosts.is_empty() && (hosts.is_empty() || !hosts.iter().all(fits))
    }

    /// The hosts by which it is told apart: of those that the document is for, or of all its own.
    fn names(&self, hosts: &[Host]) -> Vec<String> {
        if hosts.is_empty() {
            return self.hosts.to_vec();
        }
        let asked = hosts.iter().filter(|host| host.fit(self.hosts).is_some());
        asked.map(|host| host.name().to_owned()).collect()
    }

    pub(super) fn headers(&self) -> BTreeMap<String, String> {
        self.route
            .map(|route| route.headers.clone())
            .unwrap_or_default()
    }

    /// The methods that the document has for it.
    pub(super) fn written_methods(&self, vendor: Vendor) -> Vec<String> {
        if self.compose.is_some() {
            return vec![String::from("GET")];
        }
        if !self.methods.is_empty() {
            let mut methods = self.methods.to_vec();
            methods.dedup();
            return methods;
        }
        match vendor {
            Vendor::Aws => vec![String::from("ANY")],
            _ => METHODS.map(String::from).to_vec(),
        }
    }

    /// Its upstreams, the one with the largest share first.
    fn upstreams(&self) -> Vec<(&str, u32)> {
        let Some(route) = self.route else {
            return Vec::new();
        };
        let one = route.upstream.iter().map(|name| (name.as_str(), 1));
        let several = route.upstreams.iter();
        let several = several.map(|(name, share)| (name.as_str(), *share));
        let mut all: Vec<_> = one.chain(several).collect();
        all.sort_by_key(|(_, share)| std::cmp::Reverse(*share));
        all
    }

    /// Where it leads to, as far as the table knows: the servers of its first upstream.
    pub(super) fn addresses(&self, table: &Table) -> Vec<String> {
        let Some((name, _)) = self.upstreams().first().copied() else {
            return Vec::new();
        };
        let upstream = table.upstreams[name].get_ref();
        upstream
            .servers
            .iter()
            .chain(&upstream.dns)
            .cloned()
            .collect()
    }

    /// Why it is nothing that a vendor could do.
    pub(super) fn not_for(&self, vendor: Vendor, table: &Table) -> Option<String> {
        if !vendor.leads_each() || !self.addresses(table).is_empty() {
            return None;
        }
        let what = match self.route {
            None => "an answer that is put together has no upstream",
            Some(route) if route.redirect.is_some() => "a redirect has no upstream",
            Some(route) if route.shop => "the shop behind this gateway has no address in the table",
            Some(_) => "its upstream is in a file, and has no address in the table",
        };
        let name = vendor.name();
        Some(format!("{what}, and {name} wants one for each operation"))
    }

    /// Tells what of it the document does not say, or a vendor does not do.
    pub(super) fn line(
        &self,
        vendor: Vendor,
        shape: &Shape,
        hosts: &[Host],
        table: &Table,
    ) -> Option<String> {
        let mut ignored = match self.route {
            Some(route) => vendor::ignored(vendor, route, shape, table),
            None => Vec::new(),
        };
        if !vendor.has_hosts() && self.is_for_some_only(hosts) {
            ignored.push(String::from("`hosts`"));
        }
        let described = vendor.has_one_backend();
        if described && self.compose.is_some() {
            ignored.push(String::from("that the answer is put together"));
        }
        if described && self.route.is_some_and(|route| route.shop) {
            ignored.push(String::from("`shop` (its address is not in the table)"));
        }
        if described && self.route.is_some_and(|route| route.redirect.is_some()) {
            ignored.push(String::from("`redirect` (the response is described only)"));
        }
        let upstreams = self.upstreams();
        if let [(first, _), _, ..] = upstreams.as_slice() {
            ignored.push(format!("shares of `upstreams` (all goes to `{first}`)"));
        }
        let servers = self.addresses(table).len();
        if servers > 1 && (described || vendor == Vendor::Aws) {
            ignored.push(format!("{} of {servers} `servers`", servers - 1));
        }
        if !upstreams.is_empty() && servers == 0 {
            ignored.push(String::from(
                "the address of its upstream, which is in a file",
            ));
        }
        if ignored.is_empty() {
            return None;
        }
        let (route, name) = (self.name, vendor.name());
        let ignored = ignored.join(", ");
        Some(format!("route `{route}`: {name} does not do {ignored}"))
    }

    /// The operation of one method.
    pub(super) fn value(
        &self,
        method: &str,
        vendor: Vendor,
        (shape, renamed): (&Shape, &BTreeMap<String, String>),
        hosts: &[Host],
        table: &Table,
    ) -> Value {
        let id = format!("{}-{}", self.name, method.to_ascii_lowercase());
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| {
            fields.insert(name.to_owned(), value);
        };
        put("operationId", id.into());
        put("summary", self.summary().into());
        put("x-rialto-route", self.name.into());
        put("parameters", self.parameters(shape));
        put("responses", self.responses());
        if !self.hosts.is_empty() {
            put("x-rialto-hosts", json!(self.hosts));
        }
        if vendor == Vendor::Plain && self.is_for_some_only(hosts) {
            put("servers", self.servers(hosts));
        }
        if let Some(compose) = self.compose {
            let parts = compose.parts.iter().map(|(name, part)| (name, &part.get));
            put("x-rialto-parts", json!(parts.collect::<BTreeMap<_, _>>()));
        }
        if let Some(route) = self.route {
            for (name, value) in own(route, table) {
                put(name, value);
            }
        }
        let upstreams = self.upstreams();
        if let (Some(route), Some((first, _))) = (self.route, upstreams.first()) {
            let shares: BTreeMap<_, _> = upstreams.iter().copied().collect();
            put("x-rialto-upstreams", json!(shares));
            let addresses = self.addresses(table);
            match (vendor, addresses.first()) {
                (Vendor::Kong, Some(_)) => {
                    let urls = addresses.iter().map(|url| json!({ "url": url }));
                    put("servers", urls.collect());
                    for (name, value) in
                        vendor::kong(route, self.names(hosts), renamed, first, table)
                    {
                        put(name, value);
                    }
                }
                (Vendor::Aws, Some(server)) => {
                    let integration = vendor::aws(route, method, shape, renamed, server);
                    put("x-amazon-apigateway-integration", integration);
                }
                _ => {}
            }
        }
        Value::Object(fields)
    }

    /// Where it is asked for, in place of where the whole document is.
    fn servers(&self, hosts: &[Host]) -> Value {
        if hosts.is_empty() {
            let own = self.hosts.iter();
            return own.map(|host| server_of_table(host)).collect();
        }
        let asked = hosts.iter().filter(|host| host.fit(self.hosts).is_some());
        asked.map(server).collect()
    }

    fn summary(&self) -> String {
        match (self.route, self.compose) {
            (_, Some(compose)) => {
                let parts: Vec<&str> = compose.parts.keys().map(String::as_str).collect();
                format!("One answer from {}.", parts.join(", "))
            }
            (Some(route), _) if route.redirect.is_some() => {
                String::from("Sends the client elsewhere.")
            }
            (Some(route), _) if route.shop => String::from("Answered by the shop."),
            _ => {
                let names: Vec<&str> = self.upstreams().iter().map(|(name, _)| *name).collect();
                format!("Answered by {}.", names.join(", "))
            }
        }
    }

    fn parameters(&self, shape: &Shape) -> Value {
        let mut all: Vec<Value> = Vec::new();
        for name in &shape.names {
            let mut parameter = json!({
                "name": name,
                "in": "path",
                "required": true,
                "schema": { "type": "string" },
            });
            if shape.greedy.as_ref() == Some(name) {
                parameter["description"] = "The rest of the path, one segment or more.".into();
            }
            all.push(parameter);
        }
        // OpenAPI says that parameters of these names count for nothing.
        let reserved = ["accept", "content-type", "authorization"];
        for (name, value) in self.headers() {
            if reserved.contains(&name.to_ascii_lowercase().as_str()) {
                continue;
            }
            let schema = if value == "*" {
                json!({ "type": "string" })
            } else {
                json!({ "type": "string", "enum": [value] })
            };
            all.push(json!({ "name": name, "in": "header", "required": true, "schema": schema }));
        }
        Value::Array(all)
    }

    fn responses(&self) -> Value {
        if let Some(compose) = self.compose {
            let missing = json!({ "type": "array", "items": { "type": "string" } });
            let parts = compose.parts.keys().map(|name| (name.clone(), json!({})));
            let mut properties: Map<String, Value> = parts.collect();
            properties.insert(String::from("missing"), missing);
            let schema = json!({ "type": "object", "properties": properties });
            return json!({
                "200": {
                    "description": "All parts; those that are missing are named.",
                    "content": { "application/json": { "schema": schema } },
                },
                "default": { "description": "A problem." },
            });
        }
        match self.route.and_then(|route| route.redirect.as_ref()) {
            Some(redirect) => json!({
                redirect.status.to_string(): {
                    "description": format!("Goes on at {}", redirect.to),
                    "headers": { "Location": { "schema": { "type": "string" } } },
                },
            }),
            None => json!({ "default": { "description": "What the upstream answers." } }),
        }
    }
}
