//! The mails of a shop, as they lie in its mailbox.

use kernel::Email;
use notification::Mail;
use rialto::Role;

use crate::shop::TestShop;

impl TestShop {
    /// The mails to `email`, the oldest first. Settle before: mails are written on events.
    pub async fn mails_to(&self, email: &str) -> Vec<Mail> {
        let email: Email = email.parse().expect("an address");
        let listed = notification::list_mails(self.db(Role::Notification), Some(&email), 1000);
        let mut mails = listed.await.expect("the mailbox can be read");
        mails.reverse();
        mails
    }

    /// The token in the link of the youngest mail to `email` that has one.
    pub async fn mailed_token(&self, email: &str) -> String {
        let mails = self.mails_to(email).await;
        let token = mails.iter().rev().find_map(|mail| {
            let (_, after) = mail.text.split_once("?token=")?;
            after.split_whitespace().next()
        });
        token.expect("a mail with a token").to_owned()
    }
}
