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
            Self::EmailTaken => Kind::Conflict,
            Self::WeakPassword(_) => Kind::Invalid,
            Self::HashersBusy => Kind::Unavailable,
            Self::Relayed(problem) => problem.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => codes::NOT_FOUND,
            Self::EmailTaken => codes::EMAIL_TAKEN,
            Self::WeakPassword(_) => codes::WEAK_PASSWORD,
            Self::HashersBusy => kernel::problem::codes::OVERLOADED,
            Self::Relayed(_) => kernel::problem::codes::INTERNAL,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::WeakPassword(why) => vec![FieldError {
                pointer: String::from("/password"),
                code: codes::WEAK_PASSWORD.into(),
                detail: format!("the password {why}"),
            }],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        matches!(self, Self::HashersBusy).then_some(1)
    }

    fn relayed(&self) -> Option<&Problem> {
        match self {
            Self::Relayed(problem) => Some(problem),
            _ => None,
        }
    }
}
