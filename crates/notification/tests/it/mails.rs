//! What customers get, to the letter.

use contracts::order::PaymentState;
use contracts::user::{PasswordChanged, PasswordResetRequested, VerificationRequested};
use insta::assert_snapshot;
use kernel::Currency;
use notification::{Mail, MailKind};
use rialto::Role;
use testkit::TestShop;

use crate::announce::{announce, cancelled, id, placed, registered, shipped};

/// The mail as a snapshot shows it: headers, the text, the HTML.
fn whole(mail: &Mail) -> String {
    let Mail {
        sender,
        recipient,
        subject,
        text,
        html,
        ..
    } = mail;
    format!("From: {sender}\nTo: {recipient}\nSubject: {subject}\n\n{text}\n\n{html}")
}

async fn only_mail(shop: &TestShop) -> Mail {
    let mut mails = shop.mails_to("ada@example.com").await;
    assert_eq!(mails.len(), 1, "one mail, although the event arrived twice");
    mails.remove(0)
}

#[tokio::test]
async fn who_registers_gets_two_mails() {
    let shop = TestShop::start().await;
    announce(&shop, Role::User, registered(&shop, "Ada Lovelace")).await;
    let mut mails = shop.mails_to("ada@example.com").await;
    mails.sort_by_key(|mail| mail.kind);
    let kinds: Vec<MailKind> = mails.iter().map(|mail| mail.kind).collect();
    assert_eq!(kinds, [MailKind::Verification, MailKind::Welcome]);
    assert_snapshot!("verification", whole(&mails[0]));
    assert_snapshot!("welcome", whole(&mails[1]));
    let token = shop.mailed_token("ada@example.com").await;
    assert_eq!(token, "token%2Bof%2Fada");
}

#[tokio::test]
async fn registering_over_http_is_enough() {
    let shop = TestShop::start().await;
    let ada = serde_json::json!({
        "email": "ada@example.com", "password": "correct horse battery", "name": "Ada",
    });
    shop.client().post("/v1/customers", ada).await.expect(201);
    shop.settle().await;
    assert_eq!(shop.mails_to("ada@example.com").await.len(), 2);
}

#[tokio::test]
async fn strangers_cannot_put_their_words_into_mails() {
    let shop = TestShop::start().await;
    let name = "You won: https://spam.example\u{202e}";
    announce(&shop, Role::User, registered(&shop, name)).await;
    let mails = shop.mails_to("ada@example.com").await;
    assert_eq!(mails.len(), 2);
    for mail in mails {
        assert!(!whole(&mail).contains("spam"), "{}", whole(&mail));
    }
}

#[tokio::test]
async fn another_verification_mail() {
    let shop = TestShop::start().await;
    let event = VerificationRequested {
        customer_id: id(1),
        email: "ada@example.com".parse().expect("an address"),
        name: String::from("Ada"),
        verification_token: String::from("second"),
    };
    announce(&shop, Role::User, event).await;
    assert_eq!(only_mail(&shop).await.kind, MailKind::Verification);
    assert_eq!(shop.mailed_token("ada@example.com").await, "second");
}

#[tokio::test]
async fn a_link_to_set_a_new_password() {
    let shop = TestShop::start().await;
    let event = PasswordResetRequested {
        customer_id: id(1),
        email: "ada@example.com".parse().expect("an address"),
        name: String::from("Ada"),
        reset_token: String::from("reset-me"),
    };
    announce(&shop, Role::User, event).await;
    assert_snapshot!("password_reset", whole(&only_mail(&shop).await));
}

#[tokio::test]
async fn a_word_that_the_password_is_another_one() {
    let shop = TestShop::start().await;
    let event = PasswordChanged {
        customer_id: id(1),
        email: "ada@example.com".parse().expect("an address"),
        name: String::from("Ada"),
        changed_at: shop.sources().now(),
    };
    announce(&shop, Role::User, event).await;
    assert_snapshot!("password_changed", whole(&only_mail(&shop).await));
}

#[tokio::test]
async fn an_order_is_confirmed() {
    let shop = TestShop::start().await;
    announce(&shop, Role::Order, placed(&shop, Currency::EUR)).await;
    assert_snapshot!("order_placed", whole(&only_mail(&shop).await));
}

#[tokio::test]
async fn amounts_have_the_decimals_of_their_currency() {
    let shop = TestShop::start().await;
    let mut order = placed(&shop, Currency::JPY);
    order.payment = PaymentState::Manual;
    order.shipping_address = None;
    announce(&shop, Role::Order, order).await;
    let mail = only_mail(&shop).await;
    for body in [&mail.text, &mail.html] {
        assert!(body.contains("4093 JPY"), "{body}");
        assert!(body.contains("We will tell you how to pay."), "{body}");
        assert!(!body.contains("It goes to"), "{body}");
    }
    let shop = TestShop::start().await;
    announce(&shop, Role::Order, placed(&shop, Currency::KWD)).await;
    assert!(only_mail(&shop).await.text.contains("4.093 KWD"));
}

#[tokio::test]
async fn an_order_is_on_its_way() {
    let shop = TestShop::start().await;
    announce(&shop, Role::Order, shipped(&shop)).await;
    assert_snapshot!("order_shipped", whole(&only_mail(&shop).await));
}

#[tokio::test]
async fn an_order_is_cancelled() {
    let shop = TestShop::start().await;
    announce(&shop, Role::Order, cancelled(&shop)).await;
    assert_snapshot!("order_cancelled", whole(&only_mail(&shop).await));
}

#[tokio::test]
async fn the_bus_brings_what_the_consumers_want() {
    let shop = TestShop::start().await;
    shop.assert_subscriptions(Role::Notification);
}
