//! What a route says that OpenAPI has no words for.

use serde_json::{Value, json};

use super::security;
use crate::limit::settings::Part;
use crate::table::{Named, Route, Table};

/// The fields of its operation that say it.
pub(super) fn own(route: &Route, table: &Table) -> Vec<(&'static str, Value)> {
    let mut fields = Vec::new();
    if let Some(rewrite) = &route.rewrite {
        fields.push(("x-rialto-rewrite", json!(rewrite)));
    }
    if let Some(redirect) = &route.redirect {
        fields.push(("x-rialto-redirect", json!(redirect.to)));
    }
    if let Some(deadline) = route.deadline {
        fields.push(("x-rialto-deadline", json!(format!("{deadline:?}"))));
    }
    if !route.limits.is_empty() {
        let limits = route.limits.iter().map(|limit| {
            let (count, window) = (limit.rate.count, limit.rate.window);
            json!({
                "name": limit.name,
                "rate": format!("{count}/{window:?}"),
                "per": limit.per.0.iter().map(part).collect::<Vec<_>>(),
            })
        });
        fields.push(("x-rialto-limits", limits.collect()));
    }
    if let Some(cache) = &route.cache {
        let value = json!({
            "zone": cache.zone,
            "stale_while_revalidate": format!("{:?}", cache.stale_while_revalidate),
            "stale_if_error": format!("{:?}", cache.stale_if_error),
        });
        fields.push(("x-rialto-cache", value));
    }
    if let Some(validate) = &route.validate {
        fields.push(("x-rialto-validate", json!(validate.openapi.get_ref())));
    }
    if let Some(auth) = &route.auth {
        if let Some(requirements) = security::requirements(auth, table) {
            fields.push(("security", requirements));
        }
        let shown = auth.by.iter();
        let mut shown = shown.filter(|name| table.named(name) == Some(Named::Certificates));
        if let Some(shown) = shown.next() {
            fields.push(("x-rialto-certificates", json!(shown)));
        }
        if let Some(wanted) = security::wanted(auth) {
            fields.push(("x-rialto-auth", wanted));
        }
    }
    fields
}

fn part(part: &Part) -> String {
    match part {
        Part::Address => String::from("address"),
        Part::Customer => String::from("customer"),
        Part::ApiKey => String::from("api_key"),
        Part::Route => String::from("route"),
        Part::Header(name) => format!("header:{name}"),
        Part::Claim(name) => format!("claim:{name}"),
    }
}
