use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const TABLE: &str = r#"
[gateway.upstream.reviews]
servers = ["http://10.0.0.1:8000", "http://10.0.0.2:8000"]
connect_timeout = "2s"
[gateway.upstream.canary]
servers = ["http://10.0.0.9:8000"]

[gateway.issuer.shop]
issuer = "https://id.example.com"
jwks = "https://id.example.com/jwks"
audience = ["api"]
[gateway.keys.partners]
file = "partners.keys"

[[gateway.route]]
name = "reviews"
path = "/reviews/{*rest}"
upstream = "reviews"
rewrite = "/v2/{rest}"
deadline = "1500ms"

[[gateway.route]]
name = "review"
path = "/review/{id}"
hosts = ["api.example.com", "*.example.org"]
methods = ["GET"]
upstream = "reviews"
[gateway.route.auth]
by = ["shop", "partners"]
scopes = ["read"]
[[gateway.route.limit]]
name = "some"
per = "address"
rate = "100/1m"

[[gateway.route]]
name = "review-delete"
path = "/review/{key}"
hosts = ["api.example.com", "*.example.org"]
methods = ["DELETE"]
upstream = "reviews"
rewrite = "/v2/{key}"

[[gateway.route]]
name = "beta"
path = "/review/{id}"
methods = ["GET"]
headers = { x-beta = "yes" }
upstream = "canary"

[[gateway.route]]
name = "only-v2"
path = "/v2/things"
methods = ["POST"]
upstream = "canary"
body_limit = "1KiB"
[gateway.route.response]
headers = { remove = ["server"] }

[[gateway.route]]
name = "shared"
path = "/shared"
methods = ["GET", "PURGE"]
upstreams = { reviews = 95, canary = 5 }
[gateway.route.cache]
stale_if_error = "1m"

[[gateway.route]]
name = "old"
path = "/old/{id}"
methods = ["GET"]
redirect = { to = "/review/{id}", status = 301 }

[[gateway.compose]]
name = "home"
path = "/home"
[gateway.compose.part.top]
get = "/reviews/top"
"#;

fn exported(text: &str, vendor: Vendor) -> Exported {
    exported_for(text, vendor, &[]).expect("a document")
}

fn exported_for(text: &str, vendor: Vendor, hosts: &[&str]) -> Result<Exported, ExportError> {
    let folder = tempfile::tempdir().expect("a folder");
    // It is beside the table, wherever the program runs.
    std::fs::write(folder.path().join("partners.keys"), "").expect("a file of keys");
    let file = folder.path().join("routes.toml");
    let table = Table::parse(text, &file, &mut Files::default()).expect("a table");
    document(&table, vendor, &asked(hosts))
}

fn asked(hosts: &[&str]) -> Vec<Host> {
    let hosts = hosts.iter().map(|host| host.parse().expect("a host"));
    hosts.collect()
}

/// Whether somebody was told about `route`, and about `what` of it.
#[track_caller]
fn tells(exported: &Exported, route: &str, what: &str) {
    let told = exported.left_out.iter();
    let mut told = told.filter(|line| line.contains(&format!("`{route}`")));
    assert!(
        told.any(|line| line.contains(what)),
        "{route}: {what}: {:#?}",
        exported.left_out
    );
}

#[test]
fn every_kind_of_route_is_an_operation() {
    let exported = exported(TABLE, Vendor::Plain);
    let paths = &exported.document["paths"];
    assert_eq!(exported.document["openapi"], "3.0.3");

    let reviews = &paths["/reviews/{rest}"]["post"];
    assert_eq!(reviews["operationId"], "reviews-post");
    assert_eq!(reviews["parameters"][0]["name"], "rest");
    assert_eq!(reviews["x-rialto-deadline"], "1.5s");
    tells(&exported, "reviews", "wildcard");

    // The captures of one path have the names that the first route gives them.
    let review = &paths["/review/{id}"];
    assert_eq!(review["delete"]["operationId"], "review-delete-delete");
    assert_eq!(review["delete"]["parameters"][0]["name"], "id");
    assert_eq!(
        review["delete"]["servers"][0]["url"],
        "https://api.example.com"
    );
    assert_eq!(
        review["delete"]["servers"][1]["url"],
        "https://{label}.example.org"
    );
    assert_eq!(
        review["delete"]["servers"][1]["variables"]["label"]["default"],
        "www"
    );

    assert_eq!(
        review["get"]["security"],
        serde_json::json!([{ "shop": [] }, { "partners": [] }])
    );
    assert_eq!(review["get"]["x-rialto-auth"]["scopes"][0], "read");
    assert_eq!(review["get"]["x-rialto-limits"][0]["rate"], "100/60s");
    let schemes = &exported.document["components"]["securitySchemes"];
    assert_eq!(schemes["shop"]["bearerFormat"], "JWT");
    assert_eq!(schemes["partners"]["type"], "apiKey");
    assert_eq!(schemes["partners"]["name"], "x-api-key");

    let shared = &paths["/shared"]["get"];
    assert_eq!(shared["x-rialto-upstreams"]["canary"], 5);
    assert_eq!(shared["x-rialto-cache"]["stale_if_error"], "60s");
    let old = &paths["/old/{id}"]["get"];
    assert_eq!(
        old["responses"]["301"]["description"],
        "Goes on at /review/{id}"
    );
    let home = &paths["/home"]["get"];
    assert_eq!(home["x-rialto-parts"]["top"], "/reviews/top");
}

#[test]
fn what_a_document_cannot_say_is_told() {
    let plain = exported(TABLE, Vendor::Plain);
    // Two routes that differ in headers only: the document has the one without.
    tells(&plain, "beta", "other hosts, headers or longer paths");
    tells(&plain, "shared", "shares");
    tells(&plain, "only-v2", "`response`");
    tells(&plain, "only-v2", "`body_limit`");
    tells(&plain, "shared", "PURGE");
    assert!(
        plain
            .left_out
            .iter()
            .any(|line| line.contains("every method") && line.contains("reviews")),
        "{:#?}",
        plain.left_out
    );
    for vendor in [Vendor::Kong, Vendor::Aws] {
        let exported = exported(TABLE, vendor);
        tells(&exported, "old", "a redirect has no upstream");
        tells(&exported, "home", "put together");
        tells(&exported, "review", "auth");
        tells(&exported, "review", "limit");
        tells(&exported, "shared", "cache");
        assert_eq!(exported.document["paths"].get("/home"), None);
    }
    for vendor in [Vendor::Apigee, Vendor::Azure] {
        let exported = exported(TABLE, vendor);
        tells(&exported, "reviews", "rewrite");
        tells(&exported, "reviews", "deadline");
        tells(&exported, "review", "hosts");
    }
}

#[test]
fn kong_is_told_where_to_and_how() {
    let exported = exported(TABLE, Vendor::Kong);
    let paths = &exported.document["paths"];
    let reviews = &paths["/reviews/{rest}"]["get"];
    assert_eq!(reviews["servers"][1]["url"], "http://10.0.0.2:8000");
    assert_eq!(reviews["x-kong-service-defaults"]["connect_timeout"], 2000);
    assert_eq!(reviews["x-kong-service-defaults"]["read_timeout"], 1500);
    assert_eq!(
        reviews["x-kong-plugin-request-transformer"]["config"]["replace"]["uri"],
        "/v2/$(uri_captures['rest'])"
    );
    let deleted = &paths["/review/{id}"]["delete"];
    assert_eq!(
        deleted["x-kong-route-defaults"]["hosts"][0],
        "api.example.com"
    );
    // By the name that the document has for it.
    assert_eq!(
        deleted["x-kong-plugin-request-transformer"]["config"]["replace"]["uri"],
        "/v2/$(uri_captures['id'])"
    );
}

#[test]
fn kong_asks_who_calls_where_it_can() {
    let table = TABLE.replace(r#"by = ["shop", "partners"]"#, r#"by = ["partners"]"#);
    // Without the route that the document has in its place.
    let table = table.replace(
        r#"name = "beta""#,
        "name = \"beta\"\nhosts = [\"b.example.com\"]",
    );
    let exported = exported(&table, Vendor::Kong);
    let review = &exported.document["paths"]["/review/{id}"]["get"];
    let keys = &review["x-kong-plugin-key-auth"]["config"]["key_names"];
    assert_eq!(keys[0], "x-api-key");
    tells(&exported, "review", "scopes");
}

#[test]
fn aws_gets_an_integration_for_each_operation() {
    let exported = exported(TABLE, Vendor::Aws);
    let any = &exported.document["paths"]["/reviews/{proxy+}"]["x-amazon-apigateway-any-method"];
    assert_eq!(any["parameters"][0]["name"], "proxy");
    let integration = &any["x-amazon-apigateway-integration"];
    assert_eq!(integration["type"], "http_proxy");
    assert_eq!(integration["httpMethod"], "ANY");
    assert_eq!(integration["uri"], "http://10.0.0.1:8000/v2/{proxy}");
    assert_eq!(integration["timeoutInMillis"], 1500);
    assert_eq!(
        integration["requestParameters"]["integration.request.path.proxy"],
        "method.request.path.proxy"
    );
    tells(&exported, "reviews", "1 of 2 `servers`");
}

#[test]
fn azure_and_apigee_get_the_one_backend() {
    let table = r#"
        [gateway.upstream.one]
        servers = ["https://one.example.com"]
        [[gateway.route]]
        name = "one"
        path = "/one"
        methods = ["GET"]
        upstream = "one"
    "#;
    for vendor in [Vendor::Azure, Vendor::Apigee] {
        let single = exported(table, vendor);
        let url = &single.document["servers"][0]["url"];
        assert_eq!(url, "https://one.example.com");
        assert_eq!(single.left_out, [""; 0]);
        let beta = TABLE.replace(
            "path = \"/review/{id}\"\nmethods = [\"GET\"]\nheaders",
            "path = \"/beta\"\nheaders",
        );
        let several = exported(&beta, vendor);
        tells(&several, "reviews", "1 of 2 `servers`");
        assert_eq!(several.document.get("servers"), None);
        let told = several.left_out.iter();
        assert_eq!(told.filter(|line| line.contains("one backend")).count(), 1);
    }
}

/// Routes of one path that differ in their hosts.
const HOSTS: &str = r#"
[gateway.upstream.one]
servers = ["https://one.example.com"]

[[gateway.route]]
name = "everybody"
path = "/a"
methods = ["GET"]
upstream = "one"

[[gateway.route]]
name = "shops"
path = "/a"
hosts = ["*.Example.org"]
methods = ["GET"]
upstream = "one"

[[gateway.route]]
name = "my-shop"
path = "/a"
hosts = ["my.example.org", "api.example.com"]
methods = ["GET"]
upstream = "one"

[[gateway.route]]
name = "partners"
path = "/b"
hosts = ["partners.example.com"]
methods = ["GET"]
upstream = "one"
"#;

#[test]
fn a_document_for_a_host_has_what_the_gateway_would_take_there() {
    for (host, route) in [
        ("my.example.org", "my-shop"),
        ("MY.example.org:8443", "my-shop"),
        ("your.example.org", "shops"),
        ("example.org", "everybody"),
    ] {
        for vendor in [
            Vendor::Plain,
            Vendor::Kong,
            Vendor::Apigee,
            Vendor::Aws,
            Vendor::Azure,
        ] {
            let exported = exported_for(HOSTS, vendor, &[host]).expect("a document");
            let paths = &exported.document["paths"];
            assert_eq!(
                paths["/a"]["get"]["x-rialto-route"], route,
                "{host}, {vendor:?}"
            );
            assert_eq!(paths.get("/b"), None);
            // What this host has no use for is no loss, but nobody has to look for it.
            tells(&exported, "partners", "for other hosts");
            let told = exported.left_out.concat();
            assert!(!told.contains("no second answer"), "{told}");
        }
    }
}

#[test]
fn the_hosts_are_where_each_importer_looks_for_them() {
    let hosts = ["my.example.org:8443", "api.example.com"];
    let plain = exported_for(HOSTS, Vendor::Plain, &hosts).expect("a document");
    let servers = serde_json::json!([
        { "url": "https://my.example.org:8443" },
        { "url": "https://api.example.com" },
    ]);
    assert_eq!(plain.document["servers"], servers);
    // It is for both, so it has none of its own.
    let of_both = &plain.document["paths"]["/a"]["get"];
    assert_eq!(of_both["x-rialto-route"], "my-shop");
    assert_eq!(of_both.get("servers"), None);

    let hosts = ["my.example.org", "partners.example.com"];
    let plain = exported_for(HOSTS, Vendor::Plain, &hosts).expect("a document");
    let of_one = &plain.document["paths"]["/b"]["get"]["servers"];
    assert_eq!(
        *of_one,
        serde_json::json!([{ "url": "https://partners.example.com" }])
    );
    // At the other host, the gateway takes another route.
    tells(&plain, "everybody", "other hosts");

    // A route that names no host is for these only, where it goes now.
    let kong = exported_for(HOSTS, Vendor::Kong, &["example.net:8443"]).expect("a document");
    let defaults = &kong.document["paths"]["/a"]["get"]["x-kong-route-defaults"];
    assert_eq!(defaults["hosts"], serde_json::json!(["example.net"]));
    assert_eq!(kong.document.get("servers"), None);

    for vendor in [Vendor::Apigee, Vendor::Azure, Vendor::Aws] {
        let exported = exported_for(HOSTS, vendor, &hosts).expect("a document");
        // They take servers for the backend.
        let told = exported.left_out.concat();
        assert!(!exported.document["servers"].to_string().contains("my."));
        assert_eq!(
            exported.document["x-rialto-hosts"],
            serde_json::json!(hosts)
        );
        assert!(told.contains("takes no host from a document: name my.example.org, partners"));
        tells(&exported, "partners", "`hosts`");
    }
}

#[test]
fn a_host_that_no_route_is_for_is_no_document() {
    let partners = HOSTS.replace(
        "path = \"/a\"\nmethods",
        "path = \"/a\"\nhosts = [\"a.b\"]\nmethods",
    );
    let hosts = ["my.example.org", "our.example.com"];
    let refused = exported_for(&partners, Vendor::Plain, &hosts).expect_err("no document");
    assert_eq!(
        refused.to_string(),
        "no route of the table is for `our.example.com`; its hosts are *.Example.org, a.b, \
         api.example.com, my.example.org, partners.example.com"
    );
    for wrong in [
        "",
        "a b",
        "*.example.com",
        "https://a.example",
        "a.example/",
        "a..b",
        "a:",
        "a:0",
        "a:65536",
        "a:+1",
        "a:1:2",
        "[::1]",
        "ä.example",
    ] {
        assert_eq!(wrong.parse::<Host>(), Err(NotAHost), "{wrong}");
    }
}

/// Whether a document has the form that importers rely on.
fn valid(document: &Value) -> Result<(), TestCaseError> {
    let mut ids = BTreeSet::new();
    let paths = document["paths"].as_object().expect("paths");
    for (path, item) in paths {
        prop_assert!(path.starts_with('/'), "{}", path);
        let pieces = path.split('{').skip(1);
        let named: Vec<&str> = pieces
            .filter_map(|piece| Some(piece.split_once('}')?.0.trim_end_matches('+')))
            .collect();
        let once: BTreeSet<_> = named.iter().copied().collect();
        prop_assert_eq!(once.len(), named.len(), "{}", path);
        for operation in item.as_object().expect("an item").values() {
            let id = operation["operationId"].as_str().expect("an id");
            prop_assert!(ids.insert(id.to_owned()), "{} twice", id);
            let parameters = operation["parameters"].as_array().expect("parameters");
            let declared = parameters.iter().filter(|one| one["in"] == "path");
            let declared: BTreeSet<_> = declared.filter_map(|one| one["name"].as_str()).collect();
            prop_assert_eq!(&declared, &once, "{}", path);
            prop_assert!(parameters.iter().all(|one| one["required"] == true));
            let responses = operation["responses"].as_object().expect("responses");
            prop_assert!(!responses.is_empty());
        }
    }
    Ok(())
}

prop_compose! {
    fn a_route()(
        path in "(/(a|b|\\{x\\}|\\{y\\}|\\{a-b\\})){1,3}(/\\{\\*(x|proxy)\\})?",
        method in prop::sample::subsequence(vec!["GET", "POST", "PURGE"], 0..=3),
        host in prop::sample::select(vec!["", "\"a.example.com\"", "\"*.example.com\""]),
        header in prop::sample::select(vec!["", "x-beta = \"yes\"", "x-beta = \"*\""]),
        to in prop::sample::select(vec![
            "upstream = \"one\"",
            "upstreams = { one = 1, two = 2 }",
            "redirect = { to = \"/\" }",
        ]),
    ) -> String {
        format!("path = \"{path}\"\nmethods = {method:?}\nhosts = [{host}]\nheaders = {{ {header} }}\n{to}\n")
    }
}

proptest! {
    #[test]
    fn every_document_is_valid(routes in prop::collection::vec(a_route(), 1..8)) {
        let mut text = String::from("[gateway.upstream.one]\nservers = [\"http://one\"]\n[gateway.upstream.two]\nfile = \"two\"\n");
        for (number, route) in routes.iter().enumerate() {
            text.push_str(&format!("[[gateway.route]]\nname = \"r{number}\"\n{route}"));
        }
        // Some paths cannot stand beside each other: no table, and nothing to write.
        let Ok(table) = Table::parse(&text, Path::new("routes.toml"), &mut Files::default()) else {
            return Ok(());
        };
        for vendor in [Vendor::Plain, Vendor::Kong, Vendor::Apigee, Vendor::Aws, Vendor::Azure] {
          for hosts in [&[][..], &["a.example.com"], &["b.example.com", "a.example.com"]] {
            let hosts = asked(hosts);
            // A host may be that of no route.
            let Ok(exported) = document(&table, vendor, &hosts) else { continue };
            valid(&exported.document)?;
            // Each route is in the document, or somebody is told, or another one has all of it.
            for number in 0..routes.len() {
                let conditions = |at: usize| {
                    let route = table.routes[at].get_ref();
                    // At one host, routes that it names hide those that it does not.
                    let of_hosts = (hosts.len() != 1).then_some(&route.hosts);
                    (Shape::new(&route.path, vendor).key, of_hosts, &route.headers)
                };
                let name = format!("\"x-rialto-route\":\"r{number}\"");
                let written = exported.document.to_string().contains(&name);
                let told = exported.left_out.iter().any(|line| line.contains(&format!("`r{number}`")));
                let shadowed = (0..routes.len()).any(|at| at != number && conditions(at) == conditions(number));
                prop_assert!(written || told || shadowed, "r{} in {}", number, text);
            }
          }
        }
    }
}
