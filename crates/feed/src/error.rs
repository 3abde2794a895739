//! What can go wrong.

use contracts::feed::codes;
use kernel::{Code, Fault, FieldError, Kind, Problem};

/// An error of the feed service.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// No such post or comment, or not yours.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// What a post shows is not on sale.
    #[error("the product is unknown or not on sale")]
    UnknownProduct {
        /// Its place in the list.
        index: usize,
    },
    /// Who writes for everybody must be somebody.
    #[error("confirm your e-mail address first, by the link that was mailed to it")]
    Unverified,
    /// An error that is passed on unchanged.
    #[error(transparent)]
    Relayed(Problem),
}

platform::relays!(FeedError);

impl Fault for FeedError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) => Kind::NotFound,
            Self::UnknownProduct { .. } => Kind::Invalid,
            Self::Unverified => Kind::Forbidden,
            Self::Relayed(problem) => problem.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => codes::NOT_FOUND,
            Self::UnknownProduct { .. } => codes::UNKNOWN_PRODUCT,
            Self::Unverified => codes::UNVERIFIED,
            Self::Relayed(_) => kernel::problem::codes::INTERNAL,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        let Self::UnknownProduct { index } = self else {
            return Vec::new();
        };
        vec![FieldError {
            pointer: format!("/product_ids/{index}"),
            code: self.code().into(),
            detail: self.to_string(),
        }]
    }

    fn relayed(&self) -> Option<&Problem> {
        match self {
            Self::Relayed(problem) => Some(problem),
            _ => None,
        }
    }
}
