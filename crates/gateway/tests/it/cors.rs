//! Pages of other origins, which a browser lets ask only where the gateway says that they may.

use http::Method;
use testkit::Backend;

use crate::bridge::Bridge;
use crate::upstreams;

const ALLOWED: &str = "access-control-allow-origin";

#[tokio::test]
async fn only_pages_of_these_origins_may_ask() {
    let backend = Backend::start("one").await;
    let table = upstreams::table(&[&backend], "");
    let origins = (
        "gateway.cors_origins",
        String::from(r#"["https://shop.example"]"#),
    );
    let bridge = Bridge::open_with(&table, &[], &[origins]).await;
    let client = bridge.client();
    // Again and again on one connection; the upstream and the shop hear nothing of CORS.
    for path in ["/all/a", "/v1/products", "/all/a"] {
        let before = client
            .request(Method::OPTIONS, path)
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "GET")
            .await;
        assert_eq!(before.status, 200);
        assert_eq!(
            before.header(ALLOWED),
            Some("https://shop.example"),
            "{path}"
        );
        assert_eq!(before.header("access-control-max-age"), Some("3600"));
        let asked = |origin| client.get(path).header("origin", origin);
        let answer = asked("https://shop.example").await;
        assert_eq!(
            answer.header(ALLOWED),
            Some("https://shop.example"),
            "{path}"
        );
        answer.expect(200);
        let answer = asked("https://elsewhere.example").await;
        assert_eq!(answer.header(ALLOWED), None, "{path}");
        answer.expect(200);
    }
}

#[tokio::test]
async fn what_is_no_preflight_is_led_on_and_who_says_it_himself_is_not_corrected() {
    let backend = Backend::start("one").await;
    let says = r#"response = { headers = { set = { access-control-allow-origin = "https://own.example", access-control-allow-credentials = "true" } } }"#;
    let bridge = Bridge::open(&(upstreams::table(&[&backend], "") + says)).await;
    let client = bridge.client();
    for header in ["origin", "access-control-request-method", "accept"] {
        let asked = client
            .request(Method::OPTIONS, "/all/a")
            .header(header, "https://x.example");
        let answer = asked.await;
        assert_eq!(
            answer.header(ALLOWED),
            Some("https://own.example"),
            "{header}"
        );
        assert_eq!(answer.expect(200)["method"], "OPTIONS", "{header}");
    }
    let answer = client
        .get("/all/a")
        .header("origin", "https://own.example")
        .await;
    assert_eq!(answer.header(ALLOWED), Some("https://own.example"));
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );
    assert_eq!(answer.header("access-control-expose-headers"), None);
    // What says nothing is told by the gateway.
    let answer = client
        .get("/v1/products")
        .header("origin", "https://own.example")
        .await;
    assert_eq!(answer.header(ALLOWED), Some("*"));
}
