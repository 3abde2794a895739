//! `GET /v1/search`: filters, orders, pages and counts. What words find is in `search_words`.

use serde_json::json;
use testkit::TestShop;

use crate::categories;
use crate::list_products::{Question, World, all_pages};
use crate::search_words::{Shelf, encoded, slugs};

/// Without words a search is a list, whatever happened before.
#[tokio::test]
async fn a_search_without_words_is_a_list() {
    let mut world = World::start(4).await;
    for number in 0..40 {
        world.create(number).await;
    }
    for step in 0..40 {
        match world.dice.roll(4) {
            0 => world.move_category().await,
            1 | 2 => world.change().await,
            _ => {}
        }
        world.shop.settle().await;
        let mut question = Question::random(&mut world.dice, &world.naive);
        question.status = "active";
        let limit = 1 + world.dice.roll(9);
        let query = question.query();
        let query = query.replace("/v1/products?status=active", "/v1/search?q=");
        let found = all_pages(world.shop.client(), &query, limit).await;
        assert_eq!(
            found,
            world.naive.answer(&question),
            "step {step}: {question:?}"
        );
    }
}

#[tokio::test]
async fn results_are_summaries_as_lists_show_them() {
    let shelf = Shelf::open().await;
    let created = shelf
        .admin
        .post("/v1/products", crate::create_product::shirt())
        .await;
    created.expect(201);
    shelf.shop.settle().await;
    let found = shelf.shop.client().get("/v1/search?q=linen").await;
    let cache = found.header("cache-control").expect("one").to_owned();
    assert!(cache.starts_with("public"));
    let list = shelf.shop.client().get("/v1/products").await.expect(200);
    let expected = json!({
        "items": list["items"], "next_cursor": null, "total": 1, "match": "exact", "facets": {},
    });
    assert_eq!(found.expect(200), expected);
}

#[tokio::test]
async fn only_what_is_in_the_shop_is_found() {
    let shelf = Shelf::open().await;
    let draft = shelf.put("draft-mug", json!({"status": "draft"})).await;
    let mug = shelf.put("blue-mug", json!({})).await;
    shelf.shop.settle().await;
    assert_eq!(slugs(&shelf.search("q=mug").await), ["blue-mug"]);
    shelf
        .change(
            &draft,
            json!({"status": "active", "title": "Mug, not a draft"}),
        )
        .await;
    let path = format!("/v1/products/{mug}");
    let etag = shelf.admin.get(&path).await.etag();
    let archived = shelf
        .admin
        .post(format!("{path}/archive"), json!({}))
        .if_match(etag);
    archived.await.expect(200);
    shelf.shop.settle().await;
    assert_eq!(slugs(&shelf.search("q=mug").await), ["draft-mug"]);
    assert_eq!(slugs(&shelf.search("").await), ["draft-mug"]);
}

#[tokio::test]
async fn words_and_filters_hold_together() {
    let shelf = Shelf::open().await;
    let price = |sku: &str, amount: i64, currency: &str| {
        json!([{"sku": sku, "inventory": "none",
                "prices": [{"amount": amount, "currency": currency}]}])
    };
    shelf
        .put(
            "a",
            json!({"title": "Mug", "vendor": "Fornace", "tags": ["gift, small", "blue"],
        "variants": price("A", 1000, "EUR")}),
        )
        .await;
    shelf
        .put(
            "b",
            json!({"title": "Mug", "vendor": "fornace", "tags": ["blue"],
        "variants": price("B", 2000, "EUR")}),
        )
        .await;
    shelf
        .put(
            "c",
            json!({"title": "Mug", "tags": ["gift, small"],
        "variants": price("C", 1500, "USD")}),
        )
        .await;
    shelf
        .put(
            "d",
            json!({"title": "Cup", "tags": ["blue"],
        "variants": price("D", 1500, "EUR")}),
        )
        .await;
    shelf.shop.settle().await;
    for (query, expected) in [
        ("q=mug", &["c", "b", "a"][..]),
        ("q=mug&vendor=Fornace", &["a"]),
        ("q=mug&tag=blue", &["b", "a"]),
        ("tag=blue", &["d", "b", "a"]),
        ("tag=gift%5C,%20small", &["c", "a"]),
        ("tag=blue,gift%5C,%20small", &["a"]),
        ("q=mug&currency=EUR", &["b", "a"]),
        ("q=mug&currency=USD", &["c"]),
        ("q=mug&currency=EUR&price_min=1001", &["b"]),
        (
            "currency=EUR&price_min=1000&price_max=1500&sort=-price",
            &["d", "a"],
        ),
        ("q=mug&currency=EUR&price_min=5&price_max=4", &[]),
        ("q=mug&currency=EUR&sort=price", &["a", "b"]),
        ("q=mug&sort=name", &["a", "b", "c"]),
        ("vendor=Nobody", &[]),
    ] {
        let mut found = slugs(&shelf.search(query).await);
        if query.ends_with("sort=name") {
            found.sort(); // They share a name; ids decide.
        }
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn facets_count_all_results() {
    let shelf = Shelf::open().await;
    let home = categories::add(&shelf.admin, "home", None).await;
    let mugs = categories::add(&shelf.admin, "mugs", Some(&home)).await;
    for (slug, fields) in [
        (
            "a",
            json!({"category_ids": [mugs], "vendor": "Fornace", "tags": ["blue", "gift"]}),
        ),
        (
            "b",
            json!({"category_ids": [mugs, home], "vendor": "Fornace", "tags": ["blue"]}),
        ),
        ("c", json!({"category_ids": [home], "vendor": "Vetreria"})),
        ("d", json!({"title": "Cup", "vendor": "Vetreria"})),
    ] {
        let mut fields = fields;
        let cents = 1_000 + 700 * i64::from(slug.as_bytes()[0] - b'a');
        fields["variants"] = json!([{
            "sku": slug, "prices": [{"amount": cents, "currency": "EUR"}],
            "inventory": if slug == "a" { "reserve_on_order" } else { "none" },
        }]);
        if slug != "d" {
            fields["title"] = json!("Mug");
        }
        shelf.put(slug, fields).await;
    }
    shelf.shop.settle().await;
    let all = "facets=category,vendor,tag,price,in_stock&currency=EUR&limit=1";
    let found = shelf.search(&format!("q=mug&{all}")).await;
    let expected = json!({
        "category": [
            {"value": home, "name": "home", "count": 3},
            {"value": mugs, "name": "mugs", "count": 2},
        ],
        "vendor": [{"value": "Fornace", "count": 2}, {"value": "Vetreria", "count": 1}],
        "tag": [{"value": "blue", "count": 2}, {"value": "gift", "count": 1}],
        "price": [
            {"price_min": 1000, "price_max": 1999, "count": 2},
            {"price_min": 2000, "price_max": 4999, "count": 1},
        ],
        "in_stock": [{"value": true, "count": 2}, {"value": false, "count": 1}],
    });
    assert_eq!(found["facets"], expected);
    assert_eq!(found["total"], 3);
    // A count is what a search with that filter finds.
    let narrow = "q=mug&currency=EUR&price_min=1000&price_max=1999";
    assert_eq!(shelf.search(narrow).await["total"], 2);
    let none = shelf.search(&format!("q=saucer&{all}")).await;
    assert_eq!(none["facets"]["vendor"], json!([]));
    assert_eq!(
        shelf.search("q=mug&facets=tag").await["facets"]
            .as_object()
            .map(|f| f.len()),
        Some(1)
    );
}

/// In every order, pages show each result once, even while other products come and go.
#[tokio::test]
async fn pages_continue_where_the_last_one_ended() {
    let shelf = Shelf::open().await;
    for number in 0..23 {
        let title = ["Blue mug", "Mug", "A mug in blue", "Mug"][number % 4];
        shelf
            .put(&format!("mug-{number}"), json!({"title": title}))
            .await;
    }
    shelf.shop.settle().await;
    for sort in ["relevance", "newest", "name", "price", "-price"] {
        let query = format!("/v1/search?q=mug&currency=EUR&sort={sort}");
        let whole = all_pages(shelf.shop.client(), &query, 100).await;
        assert_eq!(whole.len(), 23);
        for limit in [1, 4, 22, 23] {
            let pages = all_pages(shelf.shop.client(), &query, limit).await;
            assert_eq!(pages, whole, "{sort} by {limit}");
        }
        // What is gone, or new, before the place where a page ended moves nothing after it.
        let page = shelf
            .search(&format!("q=mug&currency=EUR&sort={sort}&limit=5"))
            .await;
        let seen = page["items"][4]["id"].as_str().expect("an id").to_owned();
        shelf.change(&seen, json!({"status": "draft"})).await;
        shelf.shop.settle().await;
        let cursor = page["next_cursor"].as_str().expect("a next page");
        let rest = format!("q=mug&currency=EUR&sort={sort}&limit=3&cursor={cursor}");
        let next = shelf.search(&rest).await;
        assert_eq!(next["items"][0]["id"], whole[5], "{sort}");
        shelf.change(&seen, json!({"status": "active"})).await;
        shelf.shop.settle().await;
    }
}

/// The next page is more of the same, whatever has been added in between.
#[tokio::test]
async fn pages_keep_to_the_way_they_began() {
    let shelf = Shelf::open().await;
    for slug in ["a", "b", "c"] {
        shelf.put(slug, json!({"title": "Brass"})).await;
    }
    shelf.shop.settle().await;
    let page = shelf.search("q=brazs&limit=2").await;
    assert_eq!(page["match"], "corrected");
    shelf.put("d", json!({"title": "Brazs"})).await;
    shelf.shop.settle().await;
    let cursor = page["next_cursor"].as_str().expect("a next page");
    let next = shelf
        .search(&format!("q=brazs&limit=2&cursor={cursor}"))
        .await;
    assert_eq!(
        (slugs(&next), &next["match"]),
        (vec![String::from("a")], &json!("corrected"))
    );
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused() {
    let shelf = Shelf::open().await;
    for slug in ["a", "b", "c"] {
        shelf.put(slug, json!({})).await;
    }
    shelf.shop.settle().await;
    let ask = |query: String| shelf.shop.client().get(format!("/v1/search?{query}"));
    let many = (0..51).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    for (query, pointer) in [
        (format!("q={}", "x".repeat(201)), "q"),
        (String::from("sort=price"), "currency"),
        (String::from("price_max=5"), "currency"),
        (String::from("facets=price"), "currency"),
        (String::from("currency=EUR&price_min=-1"), "price_min"),
        (String::from("limit=0"), "limit"),
        (String::from("sort=best"), "sort"),
        (String::from("facets=colour"), "facets"),
        (String::from("category_id=mugs"), "category_id"),
        (String::from("in_stock=maybe"), "in_stock"),
        (format!("tag={many}"), "tag"),
        (String::from("status=draft"), "status"),
    ] {
        let problem = ask(query.clone()).await.problem(422, "request.invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
    }
    ask(format!("q={}", encoded(&"é".repeat(200))))
        .await
        .expect(200);

    let page = ask(String::from("limit=2&sort=name")).await.expect(200);
    let cursor = page["next_cursor"].as_str().expect("a next page");
    let next = ask(format!("limit=1&sort=name&facets=tag&cursor={cursor}"));
    assert_eq!(
        slugs(&next.await.expect(200)),
        ["c"],
        "another size is no other search"
    );
    for other in ["sort=newest", "sort=name&q=a", "sort=name&in_stock=true"] {
        let answer = ask(format!("{other}&cursor={cursor}")).await;
        answer.problem(400, "request.bad_cursor");
    }
    ask(String::from("cursor=AAAA"))
        .await
        .problem(400, "request.bad_cursor");
}

/// The promise of speed: a statement for what is shown, and one for the names of categories.
#[tokio::test]
async fn a_search_costs_at_most_two_statements() {
    let shop = TestShop::builder().calm_bus().start().await;
    let shelf = Shelf::of(shop).await;
    let home = categories::add(&shelf.admin, "home", None).await;
    for number in 0..30 {
        let fields = json!({"category_ids": [home]});
        shelf.put(&format!("mug-{number}"), fields).await;
    }
    shelf.shop.settle().await;
    let metric =
        "rialto_http_statements_total{role=\"product\",route=\"/v1/search\",method=\"GET\"";
    let facets = "facets=category,vendor,tag,price,in_stock&currency=EUR";
    for (query, items, statements) in [
        (String::from("q=mug&limit=1"), 1, 1),
        (
            String::from("q=mug&limit=30&currency=EUR&sort=price"),
            30,
            1,
        ),
        (format!("q=mug&limit=30&{facets}"), 30, 2),
        (String::from("q=mugg"), 20, 1),
        (String::from("q=saucer"), 0, 0),
    ] {
        let before = shelf.shop.metric(metric).await;
        let found = shelf.search(&query).await;
        assert_eq!(
            found["items"].as_array().map(Vec::len),
            Some(items),
            "{query}"
        );
        assert_eq!(
            shelf.shop.metric(metric).await - before,
            statements,
            "{query}"
        );
    }
}

#[tokio::test]
async fn metrics_tell_of_the_index() {
    let shelf = Shelf::open().await;
    let id = shelf.put("a", json!({})).await;
    shelf.put("b", json!({})).await;
    shelf.shop.settle().await;
    assert_eq!(shelf.shop.metric("rialto_search_documents").await, 2);
    assert_eq!(shelf.shop.metric("rialto_search_lag_milliseconds").await, 0);
    assert_eq!(
        shelf
            .shop
            .metric("rialto_search_rebuild_seconds_count")
            .await,
        1
    );
    shelf.change(&id, json!({"status": "draft"})).await;
    shelf.shop.settle().await;
    assert_eq!(shelf.shop.metric("rialto_search_documents").await, 1);
}
