//! What can go wrong.

use contracts::product::codes;
use kernel::{Code, Fault, FieldError, Kind, Problem};

use crate::document::BlankMissing;

/// An error of the product service.
#[derive(Debug, thiserror::Error)]
pub enum ProductError {
    /// No such product, variant, category or location.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Fields break rules that only show once the change is put to what is there.
    #[error("{} fields are not valid", .0.len())]
    Invalid(Vec<FieldError>),
    /// Another product or category has this slug.
    #[error("another one has the slug `{0}`")]
    SlugTaken(String),
    /// Another product has a variant with this SKU.
    #[error("another product has a variant with the SKU `{0}`")]
    SkuTaken(String),
    /// Somebody else changed it between reading and writing.
    #[error("somebody else has changed it; read it again and repeat")]
    Stale,
    /// An archived product is not changed, only restored.
    #[error("the product is archived; restore it by setting its status")]
    Archived,
    /// What is kept of a product is not what was written.
    #[error("a stored product cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An error that is passed on unchanged.
    #[error(transparent)]
    Relayed(Problem),
}

platform::relays!(ProductError);

impl From<BlankMissing> for ProductError {
    fn from(error: BlankMissing) -> Self {
        Self::Unreadable(error.into())
    }
}

impl From<serde_json::Error> for ProductError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.into())
    }
}

impl Fault for ProductError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) => Kind::NotFound,
            Self::Invalid(_) => Kind::Invalid,
            Self::SlugTaken(_) | Self::SkuTaken(_) | Self::Archived => Kind::Conflict,
            Self::Stale => Kind::Stale,
            Self::Unreadable(_) => Kind::Internal,
            Self::Relayed(problem) => problem.kind(),
        }
    }

    fn code(&self) -> Code {
        use kernel::problem::codes as common;
        match self {
            Self::NotFound(_) => codes::NOT_FOUND,
            Self::Invalid(_) => common::INVALID,
            Self::SlugTaken(_) => codes::SLUG_TAKEN,
            Self::SkuTaken(_) => codes::SKU_TAKEN,
            Self::Archived => codes::ARCHIVED,
            Self::Stale => common::STALE,
            Self::Unreadable(_) | Self::Relayed(_) => common::INTERNAL,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(errors) => errors.clone(),
            _ => Vec::new(),
        }
    }

    fn relayed(&self) -> Option<&Problem> {
        match self {
            Self::Relayed(problem) => Some(problem),
            _ => None,
        }
    }
}
