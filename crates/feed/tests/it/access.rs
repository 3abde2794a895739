//! Who may post, and who keeps order.

use kernel::{StaffId, StaffRole};
use platform::sql;
use rialto::Role;
use serde_json::json;
use testkit::TestShop;

use crate::posts::{path, publish};

#[tokio::test]
async fn the_shop_speaks_through_those_whose_part_it_is() {
    let shop = TestShop::start().await;
    let body = json!({"text": "The mugs are here."});
    let merchandiser = shop.staff(StaffRole::Merchandiser).await;
    let posted = merchandiser.post("/v1/posts", &body).await.expect(201);
    assert_eq!(posted["author"]["id"], "shop");
    // The shop knows which of them it was.
    let me = merchandiser.get("/v1/staff/me").await.expect(200);
    let tx = shop.db(Role::Feed).read().await.expect("a reader");
    let select = sql!("SELECT staff_id FROM posts");
    let kept: Option<(StaffId,)> = tx.one(select, &[]).await.expect("the post");
    let staff = kept.map(|row| row.0.to_string());
    assert_eq!(staff.as_deref(), me["id"].as_str());
    for role in [StaffRole::Support, StaffRole::Warehouse] {
        let staff = shop.staff(role).await;
        let refused = staff.post("/v1/posts", &body).await;
        refused.problem(403, "auth.forbidden");
    }
    let nobody = shop.client().post("/v1/posts", &body).await;
    nobody.problem(401, "auth.required");
    let warehouse = shop.staff(StaffRole::Warehouse).await;
    let refused = warehouse.delete(path(&posted)).await;
    refused.problem(403, "auth.forbidden");
    let another = publish(&merchandiser, "A slip").await;
    merchandiser.delete(path(&another)).await.expect(204);
}
