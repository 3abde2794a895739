//! What can go wrong.

use contracts::user::codes;
use kernel::{Code, Fault, FieldError, Kind, Problem};

/// An error of the user service.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// No such customer, address or member of staff, or not yours.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Somebody has registered with this address.
    #[error("somebody has registered with this address; log in or reset the password")]
    EmailTaken,
    /// The address or the password is wrong, or the member of staff is not active.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// The present password, which a change has to name, is wrong.
    #[error("the present password is wrong")]
    WrongPassword,
    /// Too many log-ins failed.
    #[error("too many log-ins have failed; wait {seconds} seconds")]
    Throttled {
        /// Until the window ends.
        seconds: u32,
    },
    /// Too many mails were asked for.
    #[error("too many mails were asked for; wait {seconds} seconds")]
    TooManyMails {
        /// Until the window ends.
        seconds: u32,
    },
    /// The refresh token does not count, or counts no more.
    #[error("the session has ended; log in again")]
    SessionEnded,
    /// The token of a mail does not count, or counts no more.
    #[error("the token is unknown, has expired, or was used before; ask for another mail")]
    BadMailToken,
    /// The address book is full.
    #[error("the address book has {limit} addresses already; remove one")]
    AddressLimit {
        /// How many it can have.
        limit: i64,
    },
    /// The shop would be left without anybody who may do everything.
    #[error("this is the last active admin; make somebody else one first")]
    LastAdmin,
    /// The password breaks a rule.
    #[error("the password {0}")]
    WeakPassword(&'static str),
    /// All hashers are busy and the queue is full.
    #[error("too many passwords are being checked; try again in a moment")]
    HashersBusy,
    /// An error that is passed on unchanged.
    #[error(transparent)]
    Relayed(Problem),
}

platform::relays!(UserError);

impl Fault for UserError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) => Kind::NotFound,
            Self::EmailTaken | Self::AddressLimit { .. } | Self::LastAdmin => Kind::Conflict,
            Self::WrongCredentials | Self::SessionEnded => Kind::Unauthenticated,
            Self::Throttled { .. } | Self::TooManyMails { .. } => Kind::TooMany,
            Self::WrongPassword | Self::BadMailToken | Self::WeakPassword(_) => Kind::Invalid,
            Self::HashersBusy => Kind::Unavailable,
            Self::Relayed(problem) => problem.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => codes::NOT_FOUND,
            Self::EmailTaken => codes::EMAIL_TAKEN,
            Self::WrongCredentials => codes::WRONG_CREDENTIALS,
            Self::WrongPassword => codes::WRONG_PASSWORD,
            Self::Throttled { .. } => codes::THROTTLED,
            Self::TooManyMails { .. } => kernel::problem::codes::RATE_LIMITED,
            Self::SessionEnded => codes::SESSION_ENDED,
            Self::BadMailToken => codes::BAD_MAIL_TOKEN,
            Self::AddressLimit { .. } => codes::ADDRESS_LIMIT,
            Self::LastAdmin => codes::LAST_ADMIN,
            Self::WeakPassword(_) => codes::WEAK_PASSWORD,
            Self::HashersBusy => kernel::problem::codes::OVERLOADED,
            Self::Relayed(_) => kernel::problem::codes::INTERNAL,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        let pointer = match self {
            Self::WeakPassword(_) => "/password",
            Self::WrongPassword => "/old_password",
            Self::BadMailToken => "/token",
            _ => return Vec::new(),
        };
        vec![FieldError {
            pointer: pointer.to_owned(),
            code: self.code().into(),
            detail: self.to_string(),
        }]
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::HashersBusy => Some(1),
            Self::Throttled { seconds } | Self::TooManyMails { seconds } => Some(*seconds),
            _ => None,
        }
    }

    fn relayed(&self) -> Option<&Problem> {
        match self {
            Self::Relayed(problem) => Some(problem),
            _ => None,
        }
    }
}
