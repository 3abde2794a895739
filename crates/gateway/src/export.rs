//! The routes of a table as an OpenAPI document, for gateways that import one.
//!
//! A document cannot say everything that a table does. What is the table's own is in `x-rialto-*`;
//! what nobody who imports the document would do is [told](Exported::left_out), never quietly lost.

mod host;
mod operation;
mod own;
mod path;
mod security;
#[cfg(test)]
mod tests;
mod vendor;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

pub use self::host::{Host, NotAHost};
use self::operation::{Operation, operations};
use self::path::Shape;
pub use self::vendor::Vendor;
use crate::TableErrors;
use crate::table::{Files, Source, Table};

/// The methods that OpenAPI has words for.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
];

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// In OpenAPI 3.0.3.
    pub document: Value,
    /// What it does not say, or what nobody who imports it would do; a line for each.
    pub left_out: Vec<String>,
}

/// Why there is no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The table is wrong.
    #[error(transparent)]
    Table(#[from] TableErrors),
    /// No route answers for one of the hosts.
    #[error("no route of the table is for `{host}`; its hosts are {}", known.join(", "))]
    NoRoute {
        /// Which host.
        host: String,
        /// The hosts that routes are for.
        known: Vec<String>,
    },
}

/// Reads a table, and writes its routes for `vendor`: those that answer for one of `hosts`, or all of
/// them if there are none.
pub fn export(source: &Source, vendor: Vendor, hosts: &[Host]) -> Result<Exported, ExportError> {
    let table = Table::read(source, &mut Files::default())?;
    document(&table, vendor, hosts)
}

fn document(table: &Table, vendor: Vendor, hosts: &[Host]) -> Result<Exported, ExportError> {
    let all = operations(table, hosts);
    known(&all, hosts)?;
    let mut paths = Paths::new(vendor, hosts);
    let (for_them, others): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.is_asked_for(hosts));
    for operation in for_them {
        paths.add(operation, table);
    }
    if !others.is_empty() {
        let names = others
            .iter()
            .map(|operation| format!("`{}`", operation.name));
        let names: Vec<String> = names.collect();
        paths.left_out.push(format!(
            "routes for other hosts are left out: {}",
            names.join(", ")
        ));
    }
    if !paths.every_method.is_empty() {
        let names: Vec<&str> = paths.every_method.iter().map(String::as_str).collect();
        paths.left_out.push(format!(
            "routes without `methods` take every method, the document has those of OpenAPI only: {}",
            names.join(", ")
        ));
    }
    let mut document = json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Routes of the gateway",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths.items,
    });
    if !paths.used.is_empty() {
        document["components"] =
            json!({ "securitySchemes": security::schemes(table, &paths.used) });
    }
    paths.say_hosts(&mut document);
    paths.say_backend(&mut document);
    Ok(Exported {
        document,
        left_out: paths.left_out,
    })
}

/// Whether there is a route for each of `hosts`.
fn known(operations: &[Operation<'_>], hosts: &[Host]) -> Result<(), ExportError> {
    let lost = |host: &&Host| operations.iter().all(|one| host.fit(one.hosts).is_none());
    let Some(host) = hosts.iter().find(lost) else {
        return Ok(());
    };
    let known: BTreeSet<&String> = operations.iter().flat_map(|one| one.hosts).collect();
    Err(ExportError::NoRoute {
        host: host.to_string(),
        known: known.into_iter().cloned().collect(),
    })
}

/// The path items of a document that is being written.
struct Paths<'a> {
    vendor: Vendor,
    /// Those that the document is for.
    hosts: &'a [Host],
    items: Map<String, Value>,
    /// What the first route of each shape calls its captures.
    shapes: BTreeMap<String, Shape>,
    /// Which operation has a method of a path.
    taken: BTreeMap<(String, String), Conditions>,
    /// Issuers, introspections and files of keys that routes name.
    used: BTreeSet<String>,
    /// The addresses of each upstream that is led to.
    backends: BTreeSet<Vec<String>>,
    every_method: BTreeSet<String>,
    left_out: Vec<String>,
}

/// What a request must have beside its path and method.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Conditions {
    route: String,
    hosts: Vec<String>,
    headers: BTreeMap<String, String>,
    /// As paths differ to the gateway, if not to OpenAPI: in how far their last capture goes.
    shape: String,
}

impl<'a> Paths<'a> {
    fn new(vendor: Vendor, hosts: &'a [Host]) -> Self {
        Self {
            vendor,
            hosts,
            items: Map::new(),
            shapes: BTreeMap::new(),
            taken: BTreeMap::new(),
            used: BTreeSet::new(),
            backends: BTreeSet::new(),
            every_method: BTreeSet::new(),
            left_out: Vec::new(),
        }
    }

    fn add(&mut self, operation: &Operation<'_>, table: &Table) {
        let vendor = self.vendor;
        let name = operation.name;
        if let Some(why) = operation.not_for(vendor, table) {
            self.left_out
                .push(format!("route `{name}` is left out: {why}"));
            return;
        }
        let shape = Shape::new(operation.path, vendor);
        let shape = self
            .shapes
            .entry(shape.key.clone())
            .or_insert(shape)
            .clone();
        let renamed = shape.renamed(operation.path);
        let methods: Vec<String> = self.free_methods(operation, &shape);
        if methods.is_empty() {
            return;
        }
        if let Some(line) = operation.line(vendor, &shape, self.hosts, table) {
            self.left_out.push(line);
        }
        if operation.methods.is_empty() && vendor != Vendor::Aws {
            self.every_method.insert(name.to_owned());
        }
        if let Some(auth) = operation.route.and_then(|route| route.auth.as_ref()) {
            self.used.extend(auth.by.iter().cloned());
        }
        let addresses = operation.addresses(table);
        if !addresses.is_empty() {
            self.backends.insert(addresses);
        }
        let item = self.items.entry(shape.path.clone()).or_insert(json!({}));
        for method in methods {
            let field = if method == "ANY" {
                String::from("x-amazon-apigateway-any-method")
            } else {
                method.to_ascii_lowercase()
            };
            item[field] = operation.value(&method, vendor, (&shape, &renamed), self.hosts, table);
        }
    }

    /// Which hosts the document is for. Who takes `servers` for the backend is not told by them.
    fn say_hosts(&mut self, document: &mut Value) {
        if self.hosts.is_empty() {
            return;
        }
        if self.vendor == Vendor::Plain {
            document["servers"] = self.hosts.iter().map(host::server).collect();
            return;
        }
        let names: Vec<String> = self.hosts.iter().map(Host::to_string).collect();
        if self.vendor != Vendor::Kong {
            self.left_out.push(format!(
                "{} takes no host from a document: name {} there",
                self.vendor.name(),
                names.join(", ")
            ));
        }
        document["x-rialto-hosts"] = json!(names);
    }

    /// The one backend, for those who take one from a document.
    fn say_backend(&mut self, document: &mut Value) {
        if !self.vendor.has_one_backend() {
            return;
        }
        match self.backends.len() {
            0 => {}
            1 => {
                let servers = self.backends.iter().flatten();
                let urls: Vec<Value> = servers.map(|url| json!({ "url": url })).collect();
                document["servers"] = Value::Array(urls);
            }
            several => self.left_out.push(format!(
                "{} takes one backend from a document, and there are {several}: set them by the \
                 `x-rialto-upstreams` of each operation, or export a table for each",
                self.vendor.name()
            )),
        }
    }

    /// The methods of an operation that no other one has; tells of the rest.
    fn free_methods(&mut self, operation: &Operation<'_>, shape: &Shape) -> Vec<String> {
        let path = &shape.path;
        let own = Conditions {
            route: operation.name.to_owned(),
            hosts: operation.hosts.to_vec(),
            headers: operation.headers(),
            shape: shape.key.clone(),
        };
        let mut free = Vec::new();
        for method in operation.written_methods(self.vendor) {
            if method != "ANY" && !METHODS.contains(&method.as_str()) {
                self.left_out.push(format!(
                    "route `{}`: OpenAPI has no method {method}",
                    operation.name
                ));
                continue;
            }
            let key = (path.clone(), method.clone());
            match self.taken.get(&key) {
                None => {
                    self.taken.insert(key, own.clone());
                    free.push(method);
                }
                // The gateway would take the other one too: of one host, the most specific comes first.
                Some(other)
                    if other.shape == own.shape
                        && other.headers == own.headers
                        && (other.hosts == own.hosts || self.hosts.len() == 1) => {}
                Some(other) => self.left_out.push(format!(
                    "route `{}`: {method} {path} is described as route `{}` has it; a document has \
                     no second answer for other hosts, headers or longer paths",
                    own.route, other.route
                )),
            }
        }
        free
    }
}
