//! What a route wants of whoever calls it.

use serde_json::Value;

use super::Identity;
use super::refusal::Refused;
use crate::table;

/// Scopes, roles and claims that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) scopes: Vec<String>,
    roles: Vec<String>,
    claims: Vec<(String, String)>,
}

impl Access {
    pub(super) fn new(auth: &table::Auth) -> Self {
        Self {
            scopes: auth.scopes.clone(),
            roles: auth.roles.clone(),
            claims: auth.claims.clone().into_iter().collect(),
        }
    }

    /// Whether anybody will do.
    pub(super) fn wants_nothing(&self) -> bool {
        self.scopes.is_empty() && self.roles.is_empty() && self.claims.is_empty()
    }

    /// Whether somebody may call: with all scopes, one of the roles, and each claim.
    pub(super) fn check(&self, identity: &Identity) -> Result<(), Refused> {
        let has = |scope| identity.scopes.contains(scope);
        if !self.scopes.iter().all(has) {
            return Err(Refused::Scopes);
        }
        let is = |role| identity.roles.contains(role);
        if !self.roles.is_empty() && !self.roles.iter().any(is) {
            return Err(Refused::Forbidden("none of the roles that the route wants"));
        }
        let says = |(name, wanted): &(String, String)| {
            identity
                .claim(name)
                .is_some_and(|value| holds(value, wanted))
        };
        if !self.claims.iter().all(says) {
            return Err(Refused::Forbidden("a claim is not what the route wants"));
        }
        Ok(())
    }
}

/// Whether a claim is `wanted`, or a list that holds it.
fn holds(claim: &Value, wanted: &str) -> bool {
    match claim {
        Value::String(text) => text == wanted,
        Value::Number(number) => number.to_string() == wanted,
        Value::Bool(truth) => truth.to_string() == wanted,
        Value::Array(all) => all.iter().any(|one| !one.is_array() && holds(one, wanted)),
        Value::Null | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn identity(claims: Value) -> Identity {
        let Value::Object(claims) = claims else {
            panic!("an object");
        };
        Identity::from_claims(&"acme".into(), "u1", "realm.roles", claims)
    }

    fn access(scopes: &[&str], roles: &[&str], claims: &[(&str, &str)]) -> Access {
        let owned = |all: &[&str]| all.iter().map(|one| String::from(*one)).collect();
        Access {
            scopes: owned(scopes),
            roles: owned(roles),
            claims: claims
                .iter()
                .map(|(name, value)| (String::from(*name), String::from(*value)))
                .collect(),
        }
    }

    #[test]
    fn scopes_are_a_text_or_a_list_and_roles_may_lie_deeper() {
        let who = identity(json!({"scp": ["a b", "c"], "realm": {"roles": ["x"]}}));
        assert_eq!(who.scopes, ["a", "b", "c"]);
        assert_eq!(access(&["a", "c"], &["x", "y"], &[]).check(&who), Ok(()));
        assert_eq!(
            access(&["a", "d"], &[], &[]).check(&who),
            Err(Refused::Scopes)
        );
        assert!(access(&[], &["y"], &[]).check(&who).is_err());
        let flat = identity(json!({"realm.roles": "x", "realm": {"roles": ["y"]}}));
        assert_eq!(flat.roles, ["x"], "a claim of the very name comes first");
    }

    #[test]
    fn a_claim_is_the_value_or_holds_it() {
        let who = identity(json!({
            "tenant": "x", "level": 3, "good": true, "groups": ["a", 7, ["z"]], "none": null,
        }));
        for (name, value) in [
            ("tenant", "x"),
            ("level", "3"),
            ("good", "true"),
            ("groups", "a"),
            ("groups", "7"),
        ] {
            assert_eq!(
                access(&[], &[], &[(name, value)]).check(&who),
                Ok(()),
                "{name}"
            );
        }
        for (name, value) in [
            ("tenant", "X"),
            ("groups", "z"),
            ("none", "null"),
            ("away", ""),
            ("level", "3.0"),
        ] {
            assert!(
                access(&[], &[], &[(name, value)]).check(&who).is_err(),
                "{name}"
            );
        }
    }

    proptest! {
        /// More scopes never lock anybody out, fewer never let anybody in.
        #[test]
        fn scopes_are_monotone(wanted in proptest::collection::vec("[a-d]", 0..4), has in proptest::collection::vec("[a-d]", 0..4), more in "[a-d]") {
            let wants = Access { scopes: wanted.clone(), roles: Vec::new(), claims: Vec::new() };
            let before = wants.check(&identity(json!({"scope": has.join(" ")}))).is_ok();
            let richer = wants.check(&identity(json!({"scope": [has.join(" "), more.clone()]}))).is_ok();
            prop_assert_eq!(before, wanted.iter().all(|scope| has.contains(scope)));
            prop_assert!(richer || !before);
        }
    }
}
