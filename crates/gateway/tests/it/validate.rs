//! Requests that must be what an OpenAPI document says.

use serde_json::{Value, json};
use testkit::{Answer, Backend};

use crate::bridge::Bridge;

/// A catalogue of items.
fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Catalogue", "version": "1"},
        "servers": [{"url": "https://catalogue.test/v1"}],
        "paths": {
            "/items": {
                "get": {"parameters": [
                    {"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 100}},
                    {"in": "header", "name": "X-Shop", "required": true, "schema": {"type": "string", "minLength": 2}},
                ]},
                "post": {"requestBody": {"required": true, "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Item"}},
                }}},
            },
            "/items/{id}": {
                "parameters": [{"in": "path", "name": "id", "required": true, "schema": {"type": "integer"}}],
                "put": {"requestBody": {"content": {"application/octet-stream": {}}}},
            },
        },
        "components": {"schemas": {"Item": {
            "type": "object",
            "required": ["id", "name", "tags"],
            "additionalProperties": false,
            "properties": {
                "id": {"type": "string", "readOnly": true},
                "name": {"type": "string", "maxLength": 10},
                "tags": {"type": "array", "items": {"enum": ["new", "old"]}},
                "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
            },
        }}},
    })
}

fn table(backend: &Backend, more: &str) -> String {
    let url = backend.url();
    format!(
        r#"[gateway.upstream.a]
servers = ["{url}"]
[[gateway.route]]
name = "a"
path = "/v1/{{*rest}}"
upstream = "a"
rewrite = "/{{rest}}"
request = {{ headers = {{ set = {{ x-seen = "{{{{ request.method }}}}" }} }} }}
[gateway.route.validate]
openapi = "catalogue.json"
{more}
"#
    )
}

/// A gateway whose table has the document beside it.
async fn bridge(backend: &Backend, document: &Value, more: &str) -> Bridge {
    let files = [("catalogue.json", document.to_string())];
    Bridge::open_with(&table(backend, more), &files, &[]).await
}

/// Where what was wrong is.
#[track_caller]
fn wrong(answer: Answer) -> Vec<String> {
    let problem = answer.problem(400, "gateway.request_invalid");
    let errors = problem["errors"].as_array().expect("errors");
    let pointers = errors.iter().map(|error| error["pointer"].as_str());
    pointers
        .map(|pointer| pointer.expect("a pointer").to_owned())
        .collect()
}

#[tokio::test]
async fn a_document_in_yaml_says_the_same() {
    let backend = Backend::start("a").await;
    let document = r#"
openapi: 3.1.0
servers: [{url: 'https://catalogue.test/v1'}]
paths:
  /items:
    get:
      parameters:
        - {in: query, name: limit, schema: &count {type: integer, maximum: 100}}
        - {in: query, name: skip, schema: *count}
      responses:
        200: {description: All of them.}
"#;
    let named = table(&backend, "").replace("catalogue.json", "catalogue.yaml");
    let files = [("catalogue.yaml", document.to_owned())];
    let bridge = Bridge::open_with(&named, &files, &[]).await;
    let get = |target: &str| bridge.client().get(format!("/v1/items?{target}"));
    get("limit=100&skip=0").await.expect(200);
    assert_eq!(
        wrong(get("limit=101&skip=x").await),
        ["/query/limit", "/query/skip"]
    );
    let broken = bridge.file("catalogue.yaml");
    std::fs::write(broken, document.replace("200:", "200: {}\n        200:")).expect("written");
    let refused = bridge.admin().post("/gateway/reload", ()).await;
    let text = String::from_utf8_lossy(&refused.bytes).into_owned();
    let told = "catalogue.yaml#: is no YAML: line 12: the key `200` is there twice";
    assert!(text.contains(told), "{text}");
}

#[tokio::test]
async fn what_fits_goes_on_byte_for_byte() {
    let backend = Backend::start("a").await;
    let bridge = bridge(&backend, &document(), "").await;
    let body = "{ \"tags\": [\"new\"],\n  \"name\": \"\\u006dug\", \"parts\": [] }";
    let sent = bridge
        .client()
        .request(http::Method::POST, "/v1/items")
        .header("content-type", "application/json; charset=utf-8")
        .bytes(body);
    let seen = sent.await.expect(200);
    assert_eq!(seen["body"], body);
    assert_eq!(seen["target"], "/items");
    assert_eq!(seen["headers"]["x-seen"], "POST");
    assert_eq!(seen["headers"]["content-length"], body.len().to_string());
    let list = bridge.client().get("/v1/items?limit=100&other=1");
    let seen = list.header("x-shop", "de").await.expect(200);
    assert_eq!(seen["target"], "/items?limit=100&other=1");
}

#[tokio::test]
async fn everything_that_does_not_fit_is_told_and_nothing_is_sent() {
    let backend = Backend::start("a").await;
    let bridge = bridge(&backend, &document(), "").await;
    let list = bridge.client().get("/v1/items?limit=101");
    assert_eq!(
        wrong(list.header("x-shop", "d").await),
        ["/query/limit", "/header/X-Shop"]
    );
    let item = json!({
        "id": "1",
        "name": "12345678901",
        "tags": ["new", "blue"],
        "parts": [{"name": "a", "tags": []}, {"name": 1, "a/b": 1}],
    });
    let told = bridge.client().post("/v1/items", &item).await;
    let places = [
        "/body/id",
        "/body/name",
        "/body/parts/1/a~1b",
        "/body/parts/1/name",
        "/body/parts/1/tags",
        "/body/tags/1",
    ];
    let mut told = wrong(told);
    told.sort();
    assert_eq!(told, places);
    let many: Vec<Value> = (0..50).map(|_| json!({})).collect();
    let many = json!({"name": "a", "tags": [], "parts": many});
    assert_eq!(
        wrong(bridge.client().post("/v1/items", &many).await).len(),
        20
    );
    let put = bridge.client().request(http::Method::PUT, "/v1/items/x");
    assert_eq!(wrong(put.await), ["/path/id"]);
    assert_eq!(backend.requests(), 0);
}

#[tokio::test]
async fn a_body_is_json_once_whole_and_not_too_long() {
    let backend = Backend::start("a").await;
    let bridge = bridge(&backend, &document(), "limit = '64B'").await;
    let post = |body: &'static str| {
        let request = bridge.client().request(http::Method::POST, "/v1/items");
        request.bytes(body)
    };
    let json = |body| post(body).header("content-type", "application/json");
    let item = r#"{"name": "a", "tags": []}"#;
    json(item).await.expect(200);
    assert_eq!(wrong(json("").await), ["/body"]);
    assert_eq!(wrong(json("{").await), ["/body"]);
    assert_eq!(
        wrong(json(r#"{"name": "a", "tags": [], "name": "b"}"#).await),
        ["/body"],
        "nobody knows which one counts"
    );
    let long = r#"{"name": "a", "tags": [                                            ]}"#;
    json(long).await.problem(413, "request.too_large");
    for kind in ["text/plain", "application/jso", "application/xml+json"] {
        let other = post(item).header("content-type", kind).await;
        other.problem(415, "request.unsupported_media_type");
    }
    let twice = json(item).header("content-type", "text/plain").await;
    twice.problem(415, "request.unsupported_media_type");
    post(item)
        .await
        .problem(415, "request.unsupported_media_type");
    let encoded = json(item).header("content-encoding", "gzip").await;
    encoded.problem(415, "request.unsupported_media_type");
    assert_eq!(backend.requests(), 1);
    // What has no schema is not read, however long it is.
    let put = bridge.client().request(http::Method::PUT, "/v1/items/1");
    let put = put.header("content-type", "application/octet-stream");
    put.bytes(vec![b'x'; 1000]).await.expect(200);
}

#[tokio::test]
async fn what_the_document_does_not_have_is_refused_or_sent_on() {
    let backend = Backend::start("a").await;
    let strict = bridge(&backend, &document(), "unknown_query = 'refuse'").await;
    let client = strict.client();
    client
        .get("/v1/other")
        .await
        .problem(404, "request.no_route");
    let other = client.delete("/v1/items").await;
    assert_eq!(other.header("allow"), Some("GET, HEAD, POST"));
    other.problem(405, "request.method_not_allowed");
    let query = client.get("/v1/items?other=1").header("x-shop", "de");
    assert_eq!(wrong(query.await), ["/query/other"]);
    assert_eq!(backend.requests(), 0);

    let mild = "undocumented = 'allow'\nparameters = false\nbody = false";
    let mild = bridge(
        &backend,
        &document(),
        &mild.replace("body = false", "body = true"),
    )
    .await;
    mild.client().get("/v1/other").await.expect(200);
    mild.client().delete("/v1/items").await.expect(200);
    mild.client().get("/v1/items?limit=x").await.expect(200);
    assert_eq!(wrong(mild.client().post("/v1/items", 1).await), ["/body"]);
}

#[tokio::test]
async fn a_document_may_be_in_several_files() {
    let backend = Backend::start("a").await;
    let document = r"
openapi: 3.1.0
servers: [{url: 'https://catalogue.test/v1'}]
paths:
  /items: {$ref: 'paths.json#/items'}
";
    let paths = json!({"items": {"post": {"requestBody": {"content": {
        "application/json": {"schema": {"$ref": "item.yaml"}},
    }}}}});
    let item = "type: object\nproperties: {name: {maxLength: 3}, parts: {items: {$ref: '#'}}}\n";
    let named = table(&backend, "").replace("catalogue.json", "catalogue.yaml");
    let files = [
        ("catalogue.yaml", document.to_owned()),
        ("paths.json", paths.to_string()),
        ("item.yaml", item.to_owned()),
    ];
    let bridge = Bridge::open_with(&named, &files, &[]).await;
    let sends = |name: &str| {
        let part = json!({ "name": name });
        bridge
            .client()
            .post("/v1/items", json!({"name": "a", "parts": [part]}))
    };
    sends("abc").await.expect(200);
    assert_eq!(wrong(sends("abcd").await), ["/body/parts/0/name"]);
    // A part is watched as the document is, and what is wrong with it is told by its name.
    std::fs::write(bridge.file("item.yaml"), item.replace("3", "4")).expect("written");
    while sends("abcd").await.status != 200 {}
    let broken = item.replace("maxLength", "maxlength");
    std::fs::write(bridge.file("item.yaml"), broken).expect("written");
    let refused = bridge.admin().post("/gateway/reload", ()).await;
    let told = String::from_utf8_lossy(&refused.bytes).into_owned();
    let place = "item.yaml#/properties/name/maxlength: `maxlength` is no keyword";
    assert!(told.contains(&format!("routes.toml:10: {place}")), "{told}");
}

#[tokio::test]
async fn a_document_that_cannot_be_enforced_is_refused_and_the_last_one_stays() {
    let backend = Backend::start("a").await;
    let bridge = bridge(&backend, &document(), "").await;
    let mut broken = document();
    broken["components"]["schemas"]["Item"]["$dynamicRef"] = json!("#item");
    broken["paths"]["/items"]["post"]["requestBody"]["content"]["text/csv"] =
        json!({"schema": {"type": "array"}});
    std::fs::write(bridge.file("catalogue.json"), broken.to_string()).expect("written");
    let refused = bridge.admin().post("/gateway/reload", ()).await;
    assert_eq!(refused.status, 422);
    let told = String::from_utf8_lossy(&refused.bytes).into_owned();
    let place = "catalogue.json#/components/schemas/Item/$dynamicRef: ";
    assert!(told.contains(&format!("routes.toml:10: {place}")), "{told}");
    assert!(told.contains("`unchecked = [\"text/csv\"]`"), "{told}");
    bridge
        .client()
        .delete("/v1/items")
        .await
        .problem(405, "request.method_not_allowed");

    std::fs::remove_file(bridge.file("catalogue.json")).expect("removed");
    let refused = bridge.admin().post("/gateway/reload", ()).await;
    let told = String::from_utf8_lossy(&refused.bytes).into_owned();
    assert!(told.contains("catalogue.json cannot be read"), "{told}");
}

#[tokio::test]
async fn the_document_is_watched() {
    let backend = Backend::start("a").await;
    let bridge = bridge(&backend, &document(), "").await;
    let mut next = document();
    next["paths"]["/items"]["delete"] = json!({});
    std::fs::write(bridge.file("catalogue.json"), next.to_string()).expect("written");
    while bridge.client().delete("/v1/items").await.status != 200 {}
    // One that was wrong is watched too.
    std::fs::write(bridge.file("catalogue.json"), "{").expect("written");
    assert_eq!(bridge.admin().post("/gateway/reload", ()).await.status, 422);
    std::fs::write(bridge.file("catalogue.json"), document().to_string()).expect("written");
    while bridge.client().delete("/v1/items").await.status != 405 {}
}

#[tokio::test]
async fn settings_that_make_no_sense_are_told() {
    let backend = Backend::start("a").await;
    let bridge = bridge(&backend, &document(), "").await;
    let cases = [
        ("base = 'v1'", "`validate.base`"),
        (
            "unknown_query = 'refuse'\nparameters = false",
            "`validate.unknown_query`",
        ),
        (
            "parameters = false\nbody = false\nundocumented = 'allow'",
            "checks nothing",
        ),
        (
            "body = false\nunchecked = ['text/csv']",
            "`validate.unchecked`",
        ),
    ];
    for (more, words) in cases {
        bridge.write(&table(&backend, more));
        let refused = bridge.admin().post("/gateway/reload", ()).await;
        let told = String::from_utf8_lossy(&refused.bytes).into_owned();
        assert!(
            refused.status == 422 && told.contains(words),
            "{more}: {told}"
        );
    }
}

#[tokio::test]
async fn the_document_of_the_shop_can_be_enforced() {
    let backend = Backend::start("a").await;
    let bridge = bridge(&backend, &document(), "").await;
    let shop = bridge.client().get("/openapi.json").await.expect(200);
    let bridge = self::bridge(&backend, &shop, "base = '/v1/'").await;
    let client = bridge.client();
    let told = client.post("/v1/v1/customers", json!({"email": "x"})).await;
    assert!(wrong(told).contains(&String::from("/body/name")));
    client
        .get("/v1/v1/products?sort=newest&limit=5")
        .await
        .expect(200);
    assert_eq!(
        wrong(client.get("/v1/v1/products?limit=500").await),
        ["/query/limit"]
    );
}
