//! The user service: customers, their log-ins and addresses, and the staff.

use std::fmt;

use kernel::{CustomerId, Email, Event, Timestamp};
use serde::{Deserialize, Serialize};

kernel::id_type!(
    /// Names one address in a customer's address book.
    pub AddressId, "addr"
);

kernel::service_contract! {
    /// What other services may ask about users.
    pub trait UserApi, client UserClient, server UserServer, service "user" {
        /// The public keys that verify access tokens, as a JWK set (RFC 7517).
        verification_keys(()) -> serde_json::Value;
        /// Who a customer is; `user.not_found` if nobody.
        get_customer(GetCustomer) -> CustomerSummary;
    }
}

/// Asks who a customer is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetCustomer {
    /// The customer.
    pub customer_id: CustomerId,
}

/// What other services need to know of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerSummary {
    /// The customer.
    pub customer_id: CustomerId,
    /// Where to write to.
    pub email: Email,
    /// How to call them.
    pub name: String,
    /// Whether they have proved that the address is theirs.
    pub email_verified: bool,
}

/// A customer has registered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRegistered {
    /// The customer.
    pub customer_id: CustomerId,
    /// Where to write to.
    pub email: Email,
    /// How to call them.
    pub name: String,
    /// Proves, when it comes back, that the address is theirs.
    pub verification_token: String,
    /// When.
    pub registered_at: Timestamp,
}

/// Without the token.
impl fmt::Debug for UserRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRegistered")
            .field("customer_id", &self.customer_id)
            .field("email", &self.email)
            .field("registered_at", &self.registered_at)
            .finish_non_exhaustive()
    }
}

impl Event for UserRegistered {
    const TYPE: &'static str = "rialto.user.registered.v1";
    fn subject(&self) -> String {
        self.customer_id.to_string()
    }
}

/// A customer has asked for another mail to verify the address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationRequested {
    /// The customer.
    pub customer_id: CustomerId,
    /// Where to write to.
    pub email: Email,
    /// How to call them.
    pub name: String,
    /// Proves, when it comes back, that the address is theirs.
    pub verification_token: String,
}

/// Without the token.
impl fmt::Debug for VerificationRequested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationRequested")
            .field("customer_id", &self.customer_id)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

impl Event for VerificationRequested {
    const TYPE: &'static str = "rialto.user.verification_requested.v1";
    fn subject(&self) -> String {
        self.customer_id.to_string()
    }
}

/// A customer has proved that the address is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailVerified {
    /// The customer.
    pub customer_id: CustomerId,
    /// When.
    pub verified_at: Timestamp,
}

impl Event for EmailVerified {
    const TYPE: &'static str = "rialto.user.email_verified.v1";
    fn subject(&self) -> String {
        self.customer_id.to_string()
    }
}

/// Somebody has asked for a new password. Announced for addresses of nobody as well, under an id
/// that no customer has, so that asking takes as long for them; the user service listens to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordResetAsked {
    /// The customer, if there is one.
    pub customer_id: CustomerId,
}

impl Event for PasswordResetAsked {
    const TYPE: &'static str = "rialto.user.password_reset_asked.v1";
    fn subject(&self) -> String {
        self.customer_id.to_string()
    }
}

/// A customer has asked for a new password, and is to get a mail.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordResetRequested {
    /// The customer.
    pub customer_id: CustomerId,
    /// Where to write to.
    pub email: Email,
    /// How to call them.
    pub name: String,
    /// Allows, when it comes back, to set a password.
    pub reset_token: String,
}

/// Without the token.
impl fmt::Debug for PasswordResetRequested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordResetRequested")
            .field("customer_id", &self.customer_id)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

impl Event for PasswordResetRequested {
    const TYPE: &'static str = "rialto.user.password_reset_requested.v1";
    fn subject(&self) -> String {
        self.customer_id.to_string()
    }
}

/// A customer's password was changed; every log-in of before has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordChanged {
    /// The customer.
    pub customer_id: CustomerId,
    /// Where to write to.
    pub email: Email,
    /// How to call them.
    pub name: String,
    /// When.
    pub changed_at: Timestamp,
}

impl Event for PasswordChanged {
    const TYPE: &'static str = "rialto.user.password_changed.v1";
    fn subject(&self) -> String {
        self.customer_id.to_string()
    }
}

/// Error codes of the user service.
pub mod codes {
    kernel::codes! {
        /// No such customer, address or member of staff.
        NOT_FOUND = "user.not_found",
        /// Somebody has registered with this address.
        EMAIL_TAKEN = "user.email_taken",
        /// The address or the password is wrong.
        WRONG_CREDENTIALS = "user.wrong_credentials",
        /// The present password, which a change has to name, is wrong.
        WRONG_PASSWORD = "user.wrong_password",
        /// Too many log-ins failed; wait.
        THROTTLED = "user.log_in_throttled",
        /// The refresh token is unknown, expired, or was used before; log in again.
        SESSION_ENDED = "user.session_ended",
        /// The token of the mail is unknown, expired, or was used before.
        BAD_MAIL_TOKEN = "user.bad_mail_token",
        /// The password is too short, too long, or too common.
        WEAK_PASSWORD = "user.weak_password",
        /// The address book is full.
        ADDRESS_LIMIT = "user.address_limit",
        /// The shop would be left without an active admin.
        LAST_ADMIN = "user.last_admin",
    }
}
