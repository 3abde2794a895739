//! Whose requests count together: the parts of a rule, found in a request.

use std::net::IpAddr;
use std::sync::Arc;

use http::Request;
use kernel::Id;
use platform::http::{CallerOf, ClientAddress};
use ring::digest::{Context, SHA256};
use serde_json::Value;

use super::settings::Part;
use crate::identity::Identity;

fn bits(client: ClientAddress) -> u128 {
    match client.network() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The key of `request`, which `client` has sent, on `route` in the counters of a rule that counts `per`; `None` if it lacks
/// a part. Everything but an address is hashed: counters are no place for secrets.
pub(crate) fn key<B>(
    per: &[Part],
    request: &Request<B>,
    client: Option<ClientAddress>,
    route: &str,
) -> Option<u128> {
    if let [Part::Address] = per {
        return client.map(bits);
    }
    let mut hash = Context::new(&SHA256);
    let mut add = |value: &[u8]| {
        // With their lengths, so that no two lists of values run together.
        hash.update(&(value.len() as u64).to_be_bytes());
        hash.update(value);
    };
    for part in per {
        match part {
            Part::Address => add(&bits(client?).to_be_bytes()),
            Part::Customer => add(customer(request)?.uuid().as_bytes()),
            Part::ApiKey => {
                let caller = identity(request)?;
                add(caller.source.as_bytes());
                add(caller.subject.as_bytes());
            }
            Part::Route => add(route.as_bytes()),
            Part::Header(name) => add(request.headers().get(name)?.as_bytes()),
            Part::Claim(name) => match identity(request)?.claims.get(name)? {
                Value::String(text) => add(text.as_bytes()),
                Value::Null => return None,
                other => add(other.to_string().as_bytes()),
            },
        }
    }
    let hash = hash.finish();
    let first = hash.as_ref().first_chunk().copied()?;
    Some(u128::from_be_bytes(first))
}

fn customer<B>(request: &Request<B>) -> Option<kernel::CustomerId> {
    request.extensions().get::<CallerOf>()?.0.customer()
}

/// Whom the policies before the limits have found.
fn identity<B>(request: &Request<B>) -> Option<&Arc<Identity>> {
    request.extensions().get()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(address: &str, tenant: Option<&str>) -> Request<()> {
        let mut request = Request::builder();
        if let Some(tenant) = tenant {
            request = request.header("x-tenant", tenant);
        }
        let mut request = request.body(()).expect("valid");
        let client = address.parse().expect("an address");
        request.extensions_mut().insert(ClientAddress(client));
        request
    }

    fn of(per: &[&str], request: &Request<()>) -> Option<u128> {
        let parts: Vec<Part> = per.iter().map(|p| p.parse().expect("a part")).collect();
        let client = request.extensions().get().copied();
        key(&parts, request, client, "/v1/carts")
    }

    #[test]
    fn clients_of_one_network_count_together() {
        let one = |address| of(&["address"], &request(address, None));
        assert_eq!(one("2001:db8::1"), one("2001:db8::ffff:1"));
        assert_ne!(one("2001:db8::1"), one("2001:db8:0:1::1"));
        assert_eq!(one("192.0.2.1"), one("::ffff:192.0.2.1"));
        assert_ne!(one("192.0.2.1"), one("192.0.2.2"));
    }

    #[test]
    fn all_parts_count_and_each_is_needed() {
        let per = ["address", "header:x-tenant"];
        let (ada, bob) = ("192.0.2.1", "192.0.2.2");
        let key = of(&per, &request(ada, Some("a")));
        assert!(key.is_some());
        assert_eq!(key, of(&per, &request(ada, Some("a"))));
        assert_ne!(key, of(&per, &request(bob, Some("a"))));
        assert_ne!(key, of(&per, &request(ada, Some("b"))));
        assert_eq!(of(&per, &request(ada, None)), None);
        assert_eq!(of(&["customer"], &request(ada, None)), None, "nobody");
    }

    #[test]
    fn values_do_not_run_together() {
        let of = |first: &str, second: &str| {
            let request = Request::builder();
            let request = request.header("a", first).header("b", second);
            of(&["header:a", "header:b"], &request.body(()).expect("valid"))
        };
        assert_ne!(of("xy", "z"), of("x", "yz"));
        assert_ne!(of("xy", ""), of("", "xy"));
    }

    #[test]
    fn keys_and_claims_are_what_was_verified() {
        let mut request = request("192.0.2.1", None);
        assert_eq!(of(&["claim:plan"], &request), None);
        let claims = [("plan".to_owned(), Value::from("gold"))];
        request.extensions_mut().insert(Arc::new(Identity {
            source: "partners".into(),
            subject: String::from("mobile"),
            scopes: Vec::new(),
            roles: Vec::new(),
            claims: claims.into_iter().collect(),
            expires: None,
        }));
        assert!(of(&["claim:plan"], &request).is_some());
        assert!(of(&["api_key"], &request).is_some());
        assert_ne!(of(&["api_key"], &request), of(&["claim:plan"], &request));
        assert_eq!(of(&["claim:tenant"], &request), None);
    }
}
