//! Who may call, as OpenAPI says it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::table::{Auth, Named, Table};

/// The schemes that routes use.
pub(super) fn schemes(table: &Table, used: &BTreeSet<String>) -> Value {
    let mut schemes = Map::new();
    for name in used {
        let scheme = match table.named(name) {
            Some(Named::Issuer) => json!({
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "x-rialto-issuer": table.issuers[name].get_ref().issuer,
                "x-rialto-audience": table.issuers[name].get_ref().audience,
            }),
            Some(Named::Introspection) => json!({ "type": "http", "scheme": "bearer" }),
            Some(Named::Keys) => json!({
                "type": "apiKey",
                "in": "header",
                "name": table.keys[name].get_ref().header,
            }),
            // OpenAPI 3.0 has no word for it.
            Some(Named::Certificates) | None => continue,
        };
        schemes.insert(name.clone(), scheme);
    }
    Value::Object(schemes)
}

/// One of these is enough; the empty one is nobody. None if OpenAPI 3.0 has no word for any of them.
pub(super) fn requirements(auth: &Auth, table: &Table) -> Option<Value> {
    let named = auth.by.iter();
    let named = named.filter(|name| table.named(name) != Some(Named::Certificates));
    let mut all: Vec<Value> = named.map(|name| json!({ name: [] })).collect();
    if all.is_empty() {
        return None;
    }
    if auth.optional {
        all.push(json!({}));
    }
    Some(Value::Array(all))
}

/// What OpenAPI has no words for: only schemes of OAuth 2 have scopes there.
pub(super) fn wanted(auth: &Auth) -> Option<Value> {
    let more = !(auth.scopes.is_empty() && auth.roles.is_empty() && auth.claims.is_empty());
    more.then(|| {
        json!({
            "scopes": auth.scopes,
            "roles": auth.roles,
            "claims": auth.claims,
        })
    })
}
