//! What the stories are about.

use platform::sql;
use rialto::Role;
use serde_json::{Value, json};
use testkit::{Client, TestShop};

/// Publishes a post; what it is.
pub(crate) async fn publish(author: &Client, text: &str) -> Value {
    let body = json!({"text": text});
    author.post("/v1/posts", body).await.expect(201)
}

pub(crate) fn path(post: &Value) -> String {
    format!("/v1/posts/{}", text(&post["id"]))
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// What the items of a page say.
pub(crate) fn texts(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("a list").iter();
    items.map(|item| text(&item["text"])).collect()
}

/// How many rows the service keeps: posts, whose they are, likes, comments.
pub(crate) async fn kept(shop: &TestShop) -> [i64; 4] {
    let tx = shop.db(Role::Feed).read().await.expect("a reader");
    let tables = [
        sql!("SELECT COUNT(*) FROM posts"),
        sql!("SELECT COUNT(*) FROM post_authors"),
        sql!("SELECT COUNT(*) FROM likes"),
        sql!("SELECT COUNT(*) FROM comments"),
    ];
    let mut counts = [0; 4];
    for (count, table) in counts.iter_mut().zip(tables) {
        let row = tx.one::<(i64,)>(table, &[]).await.expect("a count");
        *count = row.expect("a row").0;
    }
    counts
}
