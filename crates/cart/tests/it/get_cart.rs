//! `GET /v1/carts/{id}`.

use testkit::TestShop;

#[tokio::test]
async fn a_cart_that_is_not_there_is_a_problem() {
    let shop = TestShop::start().await;
    let unknown = "/v1/carts/cart_01k3v7m0s2ev3bq1w1m2r8x5zc";
    let answer = shop.client().get(unknown).await;
    answer.problem(404, "cart.not_found");
    let nonsense = shop.client().get("/v1/carts/nonsense").await;
    nonsense.problem(404, "request.no_route");
}
