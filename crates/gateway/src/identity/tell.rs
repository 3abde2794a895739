//! What the upstream learns of who calls: headers that only the gateway may set.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use wire::fields::remove_if;

use super::Identity;
use crate::table;

/// The headers of a route, and what each tells.
#[derive(Debug, Default)]
pub(super) struct Tell(Vec<(HeaderName, What)>);

#[derive(Debug)]
enum What {
    Source,
    Subject,
    Scopes,
    Roles,
    Claim(String),
}

impl Tell {
    /// For checked names.
    pub(super) fn new(forward: &table::Forwarded) -> Self {
        let named = [
            (&forward.source, What::Source),
            (&forward.subject, What::Subject),
            (&forward.scopes, What::Scopes),
            (&forward.roles, What::Roles),
        ];
        let named = named
            .into_iter()
            .filter_map(|(name, what)| Some((name.as_ref()?, what)));
        let claims = forward
            .claims
            .iter()
            .map(|(claim, name)| (name, What::Claim(claim.clone())));
        let all = named.chain(claims);
        Self(
            all.filter_map(|(name, what)| Some((name.parse().ok()?, what)))
                .collect(),
        )
    }

    /// Removes what a client says of itself, in whatever way a server may read it: some take `_`
    /// for `-`. Whether there is anything that a client may not say.
    pub(super) fn strip(&self, headers: &mut HeaderMap) -> bool {
        if self.0.is_empty() {
            return false;
        }
        for (name, _) in &self.0 {
            headers.remove(name);
        }
        remove_if(headers, |name| {
            name.as_str().contains('_') && self.reads_like(name)
        });
        true
    }

    fn reads_like(&self, name: &HeaderName) -> bool {
        let plain = name.as_str().replace('_', "-");
        self.0
            .iter()
            .any(|(ours, _)| ours.as_str().replace('_', "-") == plain)
    }

    /// Tells who calls.
    pub(super) fn tell(&self, identity: &Identity, headers: &mut HeaderMap) {
        for (name, what) in &self.0 {
            let text = match what {
                What::Source => Some(identity.source.to_string()),
                What::Subject => Some(identity.subject.clone()),
                What::Scopes => Some(identity.scopes.join(" ")),
                What::Roles => Some(Value::from(identity.roles.clone()).to_string()),
                What::Claim(claim) => identity.claim(claim).and_then(shown),
            };
            // What cannot stand in a header is left out, as what is not there.
            let value = text.and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok());
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
    }
}

/// A claim as a text; lists and objects as JSON, so that no value can look like two.
fn shown(claim: &Value) -> Option<String> {
    match claim {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hop;

    #[test]
    fn only_the_gateway_tells_who_calls() {
        let forward = table::Forwarded {
            subject: Some(String::from("x-user-id")),
            claims: [
                ("tenant", "x-tenant"),
                ("groups", "x-groups"),
                ("bad", "x-bad"),
            ]
            .map(|(claim, name)| (String::from(claim), String::from(name)))
            .into(),
            ..table::Forwarded::default()
        };
        let tell = Tell::new(&forward);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-user-id", "root"),
            ("x_user_id", "root"),
            ("x-tenant", "all"),
            ("x-groups", "admins"),
            ("x-bad", "1"),
            ("x-other_one", "stays"),
            ("connection", "x-user-id, upgrade"),
            ("upgrade", "websocket"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        hop::end(&mut headers);
        tell.strip(&mut headers);
        let claims = json!({"tenant": "x", "groups": ["a", "b,c"], "bad": "a\r\nx-user-id: root"});
        let claims = claims.as_object().expect("an object").clone();
        let identity = Identity::from_claims(&"acme".into(), "u1", "roles", claims);
        tell.tell(&identity, &mut headers);
        hop::strip_named(&mut headers);
        let mut left: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
            .collect();
        left.sort_unstable();
        assert_eq!(
            left,
            [
                ("connection", "upgrade"),
                ("upgrade", "websocket"),
                ("x-groups", r#"["a","b,c"]"#),
                ("x-other_one", "stays"),
                ("x-tenant", "x"),
                ("x-user-id", "u1"),
            ]
        );
    }
}
