//! What can go wrong.

use contracts::notification::codes;
use kernel::{Code, Fault, Kind, Problem};

use crate::template::TemplateError;

/// An error of the notification service.
#[derive(Debug, thiserror::Error)]
pub enum NotificationError {
    /// No such mail.
    #[error("there is no such mail")]
    NotFound,
    /// A template cannot be read or rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// An error that is passed on unchanged.
    #[error(transparent)]
    Relayed(Problem),
}

platform::relays!(NotificationError);

impl Fault for NotificationError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Template(_) => Kind::Internal,
            Self::Relayed(problem) => problem.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => codes::NOT_FOUND,
            Self::Template(_) => codes::BAD_TEMPLATE,
            Self::Relayed(_) => kernel::problem::codes::INTERNAL,
        }
    }

    fn relayed(&self) -> Option<&Problem> {
        match self {
            Self::Relayed(problem) => Some(problem),
            _ => None,
        }
    }
}
