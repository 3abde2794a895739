use super::*;

fn route(path: &str) -> Conditions {
    Conditions {
        path: path.to_owned(),
        ..Conditions::default()
    }
}

fn router(routes: &[Conditions]) -> Router {
    Router::new(routes.to_vec()).expect("templates that get on with each other")
}

fn get(router: &Router, host: &str, path: &str) -> Found {
    router.find(&Method::GET, host, path, &HeaderMap::new())
}

#[test]
fn the_most_specific_path_wins_in_any_order() {
    let router = router(&[
        route("/{*rest}"),
        route("/v1/products/{id}"),
        route("/v1/products/featured"),
    ]);
    assert_eq!(get(&router, "", "/v1/products/featured"), Found::Route(2));
    assert_eq!(get(&router, "", "/v1/products/17"), Found::Route(1));
    assert_eq!(get(&router, "", "/v1/products/17/images"), Found::Route(0));
    // What takes all that follows takes nothing, too, where nothing else is that.
    assert_eq!(get(&router, "", "/"), Found::Route(0));
    let nested = super::Router::new(vec![
        route("/a/{*rest}"),
        route("/b/{*rest}"),
        route("/b/"),
        route("/c/{id}/{*rest}"),
    ]);
    let nested = nested.expect("templates that get on with each other");
    for (path, found) in [
        ("/a/", Found::Route(0)),
        ("/a", Found::Nothing),
        ("/b/", Found::Route(2)),
        ("/c/1/", Found::Route(3)),
        ("/c/1", Found::Nothing),
    ] {
        assert_eq!(get(&nested, "", path), found, "{path}");
    }
    let template = Template::new("/c/{id}/{*rest}").expect("a template");
    assert_eq!(template.captures("/c/1/"), ["1", ""]);
    assert_eq!(template.captures("/c/1/2/3"), ["1", "2/3"]);
}

#[test]
fn who_answers_get_answers_head() {
    let only = |method: Method| Conditions {
        methods: vec![method],
        ..route("/a")
    };
    let router = router(&[only(Method::GET), only(Method::PUT)]);
    let find = |method| router.find(&method, "", "/a", &HeaderMap::new());
    assert_eq!(find(Method::HEAD), Found::Route(0));
    let apart = super::Router::new(vec![only(Method::GET), only(Method::HEAD)]);
    let apart = apart.expect("they get on with each other");
    let head = apart.find(&Method::HEAD, "", "/a", &HeaderMap::new());
    assert_eq!(head, Found::Route(1), "unless somebody else does");
    assert_eq!(
        find(Method::POST),
        Found::OtherMethods(vec![Method::GET, Method::HEAD, Method::PUT])
    );
}

#[test]
fn the_most_specific_host_wins_and_any_host_is_the_last_resort() {
    let on = |host: &str, path: &str| Conditions {
        hosts: vec![host.to_owned()],
        ..route(path)
    };
    let router = router(&[
        route("/a"),
        on("*.example.com", "/a"),
        on("*.eu.example.com", "/a"),
        on("api.example.com", "/a"),
        route("/b"),
    ]);
    assert_eq!(get(&router, "API.example.com", "/a"), Found::Route(3));
    assert_eq!(get(&router, "x.example.com", "/a"), Found::Route(1));
    assert_eq!(get(&router, "x.eu.example.com", "/a"), Found::Route(2));
    assert_eq!(get(&router, "example.com", "/a"), Found::Route(0));
    assert_eq!(get(&router, "api.example.com", "/b"), Found::Route(4));
}

#[test]
fn methods_and_headers_decide_among_routes_of_one_path() {
    let beta = (HeaderName::from_static("x-beta"), Some(String::from("yes")));
    let router = router(&[
        Conditions {
            methods: vec![Method::GET],
            ..route("/a/{id}")
        },
        Conditions {
            methods: vec![Method::GET],
            headers: vec![beta],
            ..route("/a/{key}")
        },
        Conditions {
            methods: vec![Method::POST],
            ..route("/a/{id}")
        },
    ]);
    let mut headers = HeaderMap::new();
    assert_eq!(
        router.find(&Method::GET, "", "/a/1", &headers),
        Found::Route(0)
    );
    headers.insert("x-beta", "no".parse().expect("valid"));
    assert_eq!(
        router.find(&Method::GET, "", "/a/1", &headers),
        Found::Route(0)
    );
    headers.append("x-beta", "yes".parse().expect("valid"));
    assert_eq!(
        router.find(&Method::GET, "", "/a/1", &headers),
        Found::Route(1)
    );
    assert_eq!(
        router.find(&Method::POST, "", "/a/1", &headers),
        Found::Route(2)
    );
    let others = Found::OtherMethods(vec![Method::GET, Method::HEAD, Method::POST]);
    assert_eq!(router.find(&Method::PUT, "", "/a/1", &headers), others);
}

#[test]
fn what_cannot_be_told_apart_is_refused() {
    let wrong = Router::new(vec![
        route("/a/{id}"),
        route("/a/x{id}"),
        route("/b/{"),
        route("c"),
    ]);
    let places: Vec<usize> = wrong
        .expect_err("three of them")
        .iter()
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(places, [2]);
}

#[test]
fn captures_keep_their_names() {
    let template = Template::new("/a/{id}/{*rest}").expect("a template");
    assert_eq!(template.names(), ["id", "rest"]);
    assert_eq!(template.captures("/a/1/b/c"), ["1", "b/c"]);
}
