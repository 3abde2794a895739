//! What the service does when events arrive.

use contracts::user::PasswordResetAsked;
use platform::db::Tx;
use platform::events::{Consumer, Handling};

use crate::UserService;

impl UserService {
    /// Every consumer.
    pub fn consumers(&self) -> Vec<Consumer> {
        vec![Consumer::new(
            "user.mail_reset_token",
            self,
            on_password_reset_asked,
        )]
    }
}

fn on_password_reset_asked(users: UserService, tx: &Tx, asked: PasswordResetAsked) -> Handling<'_> {
    Box::pin(async move { Ok(users.mail_reset_token(tx, asked).await?) })
}
