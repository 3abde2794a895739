//! What a request must be for each route, and whether all can stand beside each other.

use std::collections::HashSet;
use std::ops::Range;

use http::Method;

use super::super::{Finding, Route, Table};
use crate::path::normalise;
use crate::router::{Conditions, Router};

/// Whether all paths can stand beside each other.
pub(super) fn paths(table: &Table) -> Vec<Finding> {
    let conditions = all_conditions(table);
    let spans = table.routes.iter().map(toml::Spanned::span);
    let spans: Vec<Range<usize>> = spans
        .chain(table.composes.iter().map(toml::Spanned::span))
        .collect();
    let span = |at: usize| spans.get(at).cloned();
    let (mut findings, mut known) = (Vec::new(), HashSet::new());
    for (at, of_route) in conditions.iter().enumerate() {
        if let Some(problem) = unreachable(&of_route.path) {
            findings.push((span(at), problem));
        }
        if !known.insert(of_route) {
            let problem = "no request gets here: a route before it is for the same";
            findings.push((span(at), String::from(problem)));
        }
    }
    if let Err(wrong) = Router::new(conditions) {
        let wrong = wrong.into_iter();
        findings.extend(wrong.map(|(at, bad)| (span(at), bad.to_string())));
    }
    findings
}

/// Why no request has such a path, if none has.
fn unreachable(path: &str) -> Option<String> {
    if path.contains(['?', '#']) {
        return Some(format!(
            "`{path}` is no path: a query is none of its conditions"
        ));
    }
    match normalise(path) {
        Ok(normal) if normal == path => None,
        Ok(normal) => Some(format!(
            "requests for `{path}` come as `{normal}`: write that"
        )),
        Err(bad) => Some(format!("`{path}`: {bad}")),
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
