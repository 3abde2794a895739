//! The engine `mailbox:`: mails that go nowhere but into a table, to be read by `rialto mail` and
//! by tests.

use std::fmt;

use contracts::notification::MailId;
use kernel::{Email, Timestamp};
use platform::db::Db;
use serde::Serialize;

use crate::letter::MailKind;
use crate::{NotificationError, store};

/// A mail in the mailbox.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// Names it.
    pub id: MailId,
    /// What it is about.
    pub kind: MailKind,
    /// Who it comes from.
    pub sender: Email,
    /// Who it goes to.
    pub recipient: Email,
    /// One line.
    pub subject: String,
    /// The body for clients that show plain text.
    pub text: String,
    /// The body for all others.
    pub html: String,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Without what is personal: no recipient, no subject, no body.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({}, {})", self.id, self.kind)
    }
}

/// The youngest mails in the mailbox, those to one address or all, the youngest first; at most
/// `limit` and never more than 1000.
pub async fn list_mails(
    db: &Db,
    to: Option<&Email>,
    limit: u32,
) -> Result<Vec<Mail>, NotificationError> {
    let tx = db.read().await?;
    let limit = i64::from(limit.min(1000));
    Ok(match to {
        Some(to) => store::mails_to(&tx, to, limit).await?,
        None => store::mails(&tx, limit).await?,
    })
}

/// One mail of the mailbox.
pub async fn show_mail(db: &Db, id: MailId) -> Result<Mail, NotificationError> {
    let tx = db.read().await?;
    store::mail(&tx, id)
        .await?
        .ok_or(NotificationError::NotFound)
}
