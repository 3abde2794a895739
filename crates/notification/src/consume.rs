//! Reactions to events of other services: a mail each.

use kernel::{Email, Event, Problem};
use platform::db::Tx;
use platform::events::Consumer;

use crate::letter::{self, Letter};
use crate::mailbox::Mail;
use crate::{Config, MailUrl, NotificationError, NotificationService, store};

impl NotificationService {
    /// What it does when events arrive. Verification and welcome are consumers of their own: if
    /// one of them fails, the other mail goes out all the same.
    pub fn consumers(&self) -> Vec<Consumer> {
        vec![
            self.mails("notification.verification", letter::verification),
            self.mails(
                "notification.verification_again",
                letter::verification_again,
            ),
            self.mails("notification.welcome", letter::welcome),
            self.mails("notification.password_reset", letter::password_reset),
            self.mails("notification.password_changed", letter::password_changed),
            self.mails("notification.order_placed", letter::order_placed),
            self.mails("notification.order_shipped", letter::order_shipped),
            self.mails("notification.order_cancelled", letter::order_cancelled),
        ]
    }

    /// A consumer that writes the letter that `compose` makes of an event.
    fn mails<E: Event>(
        &self,
        name: &'static str,
        compose: fn(&Config, E) -> (Email, Letter),
    ) -> Consumer {
        Consumer::new(name, self, move |service: Self, tx, event: E| {
            Box::pin(async move {
                let (to, letter) = compose(&service.config, event);
                service.post(tx, to, &letter).await.map_err(Problem::from)
            })
        })
    }

    /// Hands a letter to the engine, in the transaction that remembers its event: it is sent once,
    /// however often the event arrives.
    async fn post(&self, tx: &Tx, to: Email, letter: &Letter) -> Result<(), NotificationError> {
        let rendered = self.templates.render(letter)?;
        let mail = Mail {
            id: tx.sources().id(),
            kind: letter.kind(),
            sender: self.config.from.clone(),
            recipient: to,
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            created_at: tx.sources().now(),
        };
        match self.config.mail {
            MailUrl::Mailbox => store::add_mail(tx, &mail).await?,
        }
        tracing::info!(mail.id = %mail.id, kind = mail.kind.as_str(), "a mail was written");
        Ok(())
    }
}
