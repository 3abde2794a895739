//! The mailbox: read by the command line, and swept.

use std::time::Duration;

use contracts::notification::MailId;
use notification::{NotificationError, list_mails, show_mail};
use rialto::Role;
use testkit::TestShop;

use crate::announce::{announce, registered, shipped};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn mails_are_listed_youngest_first_and_shown() {
    let shop = TestShop::start().await;
    announce(&shop, Role::User, registered(&shop, "Ada")).await;
    shop.clock.advance(DAY);
    announce(&shop, Role::Order, shipped(&shop)).await;
    let db = shop.db(Role::Notification);
    let listed = list_mails(db, None, 100).await.expect("listed");
    assert_eq!(listed.len(), 3);
    assert!(listed[0].subject.ends_with("is on its way"));
    assert_eq!(list_mails(db, None, 1).await.expect("listed"), listed[..1]);
    let bob = "bob@example.com".parse().expect("an address");
    let to_bob = list_mails(db, Some(&bob), 100).await.expect("listed");
    assert!(to_bob.is_empty());
    let shown = show_mail(db, listed[2].id).await.expect("shown");
    assert_eq!(shown, listed[2]);
    let unknown: MailId = shop.sources().id();
    let missing = show_mail(db, unknown).await;
    assert!(matches!(missing, Err(NotificationError::NotFound)));
}

#[tokio::test]
async fn old_mails_are_swept_out() {
    let shop = TestShop::builder().set("mail.keep", "7d").start().await;
    announce(&shop, Role::User, registered(&shop, "Ada")).await;
    shop.clock.advance(6 * DAY);
    shop.settle().await;
    assert_eq!(shop.mails_to("ada@example.com").await.len(), 2);
    shop.clock.advance(2 * DAY);
    shop.settle().await;
    assert!(shop.mails_to("ada@example.com").await.is_empty());
}

#[tokio::test]
async fn nothing_personal_shows_when_a_mail_is_logged() {
    let shop = TestShop::start().await;
    announce(&shop, Role::User, registered(&shop, "Ada")).await;
    let mails = format!("{:?}", shop.mails_to("ada@example.com").await);
    assert!(mails.contains("verification"), "{mails}");
    assert!(!mails.to_lowercase().contains("ada"), "{mails}");
    assert!(!mails.contains("token"), "{mails}");
}
