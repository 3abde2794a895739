//! What a request must be for each route, and whether all can stand beside each other.

use std::ops::Range;

use http::Method;

use super::super::{Finding, Route, Table};
use crate::router::{Conditions, Router};

/// Whether all paths can stand beside each other.
pub(super) fn paths(table: &Table) -> Vec<Finding> {
    let conditions = all_conditions(table);
    let spans = table.routes.iter().map(toml::Spanned::span);
    let spans: Vec<Range<usize>> = spans
        .chain(table.composes.iter().map(toml::Spanned::span))
        .collect();
    let span = |at: usize| spans.get(at).cloned();
    match Router::new(conditions) {
        Ok(_) => Vec::new(),
        Err(wrong) => {
            let findings = wrong
                .into_iter()
                .map(|(at, bad)| (span(at), bad.to_string()));
            findings.collect()
        }
    }
}

/// The conditions of all routes, then those of what is put together, in the order of the file.
pub(crate) fn all_conditions(table: &Table) -> Vec<Conditions> {
    let routes = table.routes.iter().map(|route| conditions(route.get_ref()));
    let composes = table.composes.iter().map(toml::Spanned::get_ref);
    let composes = composes.map(|compose| Conditions {
        hosts: compose.hosts.clone(),
        path: compose.path.clone(),
        methods: vec![Method::GET],
        headers: Vec::new(),
    });
    routes.chain(composes).collect()
}

/// The conditions of a route, without those that are wrong.
fn conditions(route: &Route) -> Conditions {
    let methods = route
        .methods
        .iter()
        .filter_map(|method| method.parse().ok());
    let headers = route.headers.iter().filter_map(|(name, value)| {
        let wanted = (value != "*").then(|| value.clone());
        Some((name.parse().ok()?, wanted))
    });
    Conditions {
        hosts: route.hosts.clone(),
        path: route.path.clone(),
        methods: methods.collect(),
        headers: headers.collect(),
    }
}
