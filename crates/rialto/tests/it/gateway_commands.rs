//! `rialto gateway`: what its commands say of a table, on which channel, and how they exit.

use serde_json::Value;

use crate::program::run;

const TABLE: &str = r#"
[gateway.upstream.reviews]
servers = ["http://10.0.0.1:8000"]

[[gateway.route]]
name = "reviews"
path = "/reviews/{id}"
methods = ["GET"]
upstream = "reviews"
rewrite = "/v2/{id}"
[gateway.route.response]
headers = { remove = ["server"] }
"#;

fn folder(table: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("routes.toml"), table).expect("a table");
    folder
}

#[test]
fn a_table_is_checked() {
    let fine = folder(TABLE);
    let checked = run(fine.path(), &["gateway", "check", "routes.toml"]).exits(0);
    assert!(
        checked.out.contains("1 routes, 1 upstreams"),
        "{checked:#?}"
    );

    let wrong = folder(&TABLE.replace("upstream = \"reviews\"", "upstream = \"review\""));
    let checked = run(wrong.path(), &["gateway", "check", "routes.toml"]).exits(2);
    assert!(
        checked.err.contains("routes.toml:5: ")
            && checked.err.contains("there is no upstream `review`"),
        "{checked:#?}"
    );

    run(fine.path(), &["gateway", "check"]).exits(2);
}

#[test]
fn a_request_is_explained() {
    let folder = folder(TABLE);
    let request = [
        "gateway",
        "explain",
        "GET",
        "/reviews/7?x=1",
        "--routes",
        "routes.toml",
    ];
    let explained = run(folder.path(), &request).exits(0);
    for said in ["reviews", "/v2/7", "10.0.0.1:8000"] {
        assert!(explained.out.contains(said), "{said}: {explained:#?}");
    }
}

#[test]
fn a_route_to_the_shop_is_explained_and_wants_a_shop() {
    let table = r#"
[[gateway.route]]
name = "catalogue"
path = "/catalogue/{*rest}"
shop = true
rewrite = "/v1/{rest}"
"#;
    let folder = folder(table);
    let explain = |target| {
        let request = ["gateway", "explain", "GET", target];
        let request = [&request[..], &["--routes", "routes.toml"]].concat();
        run(folder.path(), &request)
    };
    let explained = explain("/catalogue/products?limit=5").exits(0);
    for said in ["catalogue", "/v1/products?limit=5", "role       product"] {
        assert!(explained.out.contains(said), "{said}: {explained:#?}");
    }
    explain("/catalogue/nothing").exits(4);

    let serve = ["serve", "--role", "gateway", "--set"];
    let alone = [&serve[..], &["gateway.routes=routes.toml"]].concat();
    let told = run(folder.path(), &alone).exits(3);
    assert!(
        told.err.contains("`catalogue` leads to the shop"),
        "{told:#?}"
    );
}

#[test]
fn a_document_goes_out_and_what_it_cannot_say_goes_beside_it() {
    let folder = folder(TABLE);
    for vendor in ["plain", "kong", "apigee", "aws", "azure"] {
        let export = ["gateway", "export", "routes.toml", "--for", vendor];
        let exported = run(folder.path(), &export).exits(0);
        let document: Value = serde_json::from_str(&exported.out).expect("JSON and nothing else");
        let operation = &document["paths"]["/reviews/{id}"]["get"];
        assert_eq!(operation["x-rialto-route"], "reviews", "{vendor}");
        assert!(
            exported.err.contains("not said: route `reviews`"),
            "{exported:#?}"
        );
        assert!(
            exported.err.contains("`response` (changes)"),
            "{exported:#?}"
        );
    }
}

#[test]
fn a_document_is_for_the_hosts_that_are_named() {
    let table = TABLE.replace("methods = [\"GET\"]", "hosts = [\"*.example.com\"]");
    let folder = folder(&table);
    let export = |host| {
        let arguments = ["gateway", "export", "routes.toml", "--host", host];
        run(folder.path(), &arguments)
    };
    let exported = export("api.example.com").exits(0);
    let document: Value = serde_json::from_str(&exported.out).expect("JSON and nothing else");
    assert_eq!(document["servers"][0]["url"], "https://api.example.com");

    let refused = export("https://api.example.com").exits(2);
    for said in [
        "--host <HOST>",
        "https://api.example.com",
        "expected the name of one host",
    ] {
        assert!(refused.err.contains(said), "{said}: {refused:#?}");
    }
    let refused = export("api.example.org").exits(2);
    for said in [
        "--host: no route",
        "`api.example.org`",
        "*.example.com",
        "or none for all",
    ] {
        assert!(refused.err.contains(said), "{said}: {refused:#?}");
    }
}
