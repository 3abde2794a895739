//! What a table says about the validation of a route.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use crate::table::Size;

/// `[gateway.route.validate]`: what requests must be to be sent on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValidateSettings {
    /// The document: a file, beside the table.
    pub(crate) openapi: Spanned<PathBuf>,
    /// What stands before the paths of the document in those that clients ask for; the path of its
    /// first server without it.
    #[serde(default)]
    pub(crate) base: Option<String>,
    /// Whether bodies are checked.
    #[serde(default = "yes")]
    pub(crate) body: bool,
    /// Whether parameters are checked.
    #[serde(default = "yes")]
    pub(crate) parameters: bool,
    /// What becomes of a query with parameters that the operation does not have.
    #[serde(default = "allow")]
    pub(crate) unknown_query: Otherwise,
    /// What becomes of requests for what the document does not have.
    #[serde(default)]
    pub(crate) undocumented: Otherwise,
    /// Media types, beside JSON, whose bodies go on without a look at their schema.
    #[serde(default)]
    pub(crate) unchecked: Vec<String>,
    /// The longest body that is read.
    #[serde(default)]
    pub(crate) limit: Size,
}

/// What becomes of what is not in the document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Otherwise {
    /// It goes on.
    Allow,
    /// It is refused.
    #[default]
    Refuse,
}

const fn yes() -> bool {
    true
}
const fn allow() -> Otherwise {
    Otherwise::Allow
}
