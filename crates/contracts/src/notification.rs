//! The notification service: mails.

kernel::id_type!(
    /// Names one mail.
    pub MailId, "mail"
);

/// Error codes of the notification service.
pub mod codes {
    kernel::codes! {
        /// No such mail.
        NOT_FOUND = "notification.not_found",
        /// A template is broken.
        BAD_TEMPLATE = "notification.bad_template",
    }
}
