//! What can go wrong.

use contracts::product::{Shortage, codes};
use kernel::{Code, Fault, FieldError, Kind, Problem};
use serde_json::{Map, Value};

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
    /// Less is left than was wanted.
    #[error("less is left than was wanted")]
    OutOfStock(Vec<Shortage>),
    /// The reservation belongs to an order that is placed.
    #[error("the reservation is committed and cannot be replaced")]
    ReservationCommitted,
    /// More would be taken than is there and not set aside.
    #[error("only {free} can be taken; the rest is not there, or set aside for orders and carts")]
    StockBelowZero {
        /// How many can be taken.
        free: i64,
    },
    /// The stock of the variant is not kept.
    #[error("the stock of this variant is not kept; choose another inventory mode first")]
    NotCounted,
    /// Another location has this name.
    #[error("another location has this name")]
    LocationTaken,
    /// There are as many locations as there may be.
    #[error("there are {0} locations already, as many as there may be")]
    TooManyLocations(i64),
    /// So many reservations wait that another one would come too late.
    #[error("too many reservations wait; try again in a moment")]
    ReservationsBusy,
    /// The tree of categories would not be one, or be too deep.
    #[error("{0}")]
    BadCategoryTree(&'static str),
    /// Products are in the category.
    #[error("products are in the category; take them out of it first")]
    CategoryInUse,
    /// There are as many categories as there may be.
    #[error("there are {0} categories already, as many as there may be")]
    TooManyCategories(i64),
    /// The first search index is not built yet.
    #[error("the search index is being built; try again in a moment")]
    IndexMissing,
    /// So many searches wait that another one would come too late.
    #[error("too many searches wait; try again in a moment")]
    SearchBusy,
    /// The search index could not be searched.
    #[error("the search failed")]
    SearchFailed(#[source] Box<dyn std::error::Error + Send + Sync>),
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
            Self::SlugTaken(_)
            | Self::SkuTaken(_)
            | Self::Archived
            | Self::OutOfStock(_)
            | Self::ReservationCommitted
            | Self::StockBelowZero { .. }
            | Self::NotCounted
            | Self::LocationTaken
            | Self::TooManyLocations(_)
            | Self::BadCategoryTree(_)
            | Self::CategoryInUse
            | Self::TooManyCategories(_) => Kind::Conflict,
            Self::ReservationsBusy | Self::SearchBusy | Self::IndexMissing => Kind::Unavailable,
            Self::Stale => Kind::Stale,
            Self::SearchFailed(_) | Self::Unreadable(_) => Kind::Internal,
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
            Self::BadCategoryTree(_) => codes::BAD_CATEGORY_TREE,
            Self::CategoryInUse => codes::CATEGORY_IN_USE,
            Self::TooManyCategories(_) => codes::TOO_MANY_CATEGORIES,
            Self::Stale => common::STALE,
            Self::OutOfStock(_) => codes::OUT_OF_STOCK,
            Self::ReservationCommitted => codes::RESERVATION_COMMITTED,
            Self::StockBelowZero { .. } => codes::STOCK_BELOW_ZERO,
            Self::NotCounted => codes::NOT_COUNTED,
            Self::LocationTaken => codes::LOCATION_TAKEN,
            Self::TooManyLocations(_) => codes::TOO_MANY_LOCATIONS,
            Self::ReservationsBusy | Self::SearchBusy => common::OVERLOADED,
            Self::IndexMissing => common::UNAVAILABLE,
            Self::SearchFailed(_) | Self::Unreadable(_) | Self::Relayed(_) => common::INTERNAL,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(errors) => errors.clone(),
            _ => Vec::new(),
        }
    }

    fn context(&self) -> Map<String, Value> {
        match self {
            Self::OutOfStock(lines) => {
                let lines = serde_json::to_value(lines).expect("shortages are plain data");
                Map::from_iter([(String::from("lines"), lines)])
            }
            Self::StockBelowZero { free } => {
                Map::from_iter([(String::from("free"), (*free).into())])
            }
            _ => Map::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        let passing = matches!(
            self,
            Self::ReservationsBusy | Self::SearchBusy | Self::IndexMissing
        );
        passing.then_some(1)
    }

    fn relayed(&self) -> Option<&Problem> {
        match self {
            Self::Relayed(problem) => Some(problem),
            _ => None,
        }
    }
}
