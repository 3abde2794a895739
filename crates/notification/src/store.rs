//! Every statement of the notification service.

use contracts::notification::MailId;
use kernel::{Email, Timestamp};
use platform::db::{DbError, Tx};
use platform::{from_row, params, sql};

use crate::mailbox::Mail;

from_row!(Mail {
    id,
    kind,
    sender,
    recipient,
    subject,
    text,
    html,
    created_at
});

pub(crate) async fn add_mail(tx: &Tx, mail: &Mail) -> Result<(), DbError> {
    let Mail {
        id,
        kind,
        sender,
        recipient,
        subject,
        text,
        html,
        created_at,
    } = mail;
    tx.run(
        sql!(
            "INSERT INTO mails (id, kind, sender, recipient, subject, body_text, body_html,
                                created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        ),
        params![id, kind, sender, recipient, subject, text, html, created_at],
    )
    .await
}

/// The youngest mails, the youngest first.
pub(crate) async fn mails(tx: &Tx, limit: i64) -> Result<Vec<Mail>, DbError> {
    tx.all(
        sql!(
            "SELECT id, kind, sender, recipient, subject, body_text, body_html, created_at
             FROM mails ORDER BY id DESC LIMIT $1"
        ),
        params![limit],
    )
    .await
}

/// The youngest mails to one address, the youngest first.
pub(crate) async fn mails_to(tx: &Tx, to: &Email, limit: i64) -> Result<Vec<Mail>, DbError> {
    tx.all(
        sql!(
            "SELECT id, kind, sender, recipient, subject, body_text, body_html, created_at
             FROM mails WHERE recipient = $1 ORDER BY id DESC LIMIT $2"
        ),
        params![to, limit],
    )
    .await
}

pub(crate) async fn mail(tx: &Tx, id: MailId) -> Result<Option<Mail>, DbError> {
    tx.one(
        sql!(
            "SELECT id, kind, sender, recipient, subject, body_text, body_html, created_at
             FROM mails WHERE id = $1"
        ),
        params![id],
    )
    .await
}

/// Forgets mails from before `before`, a few at a time; returns how many.
pub(crate) async fn prune(tx: &Tx, before: Timestamp) -> Result<u64, DbError> {
    tx.exec(
        sql!(
            "DELETE FROM mails WHERE id IN (
                 SELECT id FROM mails WHERE created_at < $1 ORDER BY created_at LIMIT 1000)"
        ),
        params![before],
    )
    .await
}
